"""The same transformer as a PyTorch module, as one would write it there: what ours is measured by.

Names of modules are the names of `params.py`, so that its state_dict has our names; a Linear stores
its matrix (out, in), ours is (in, out). Needs torch, which is not among the requirements.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from configs.schema import ModelConfig
from model.layers import NORM_EPS
from model.params import EMBED_STD

Tensor = Any  # torch.Tensor, also where torch is not installed


def swiglu(x: Tensor) -> Tensor:
    """silu(gate) * up. x: (..., 2F), columns gate | up -> (..., F)."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


ACTIVATIONS = {
    "relu": F.relu,
    "gelu": partial(F.gelu, approximate="tanh"),
    "gelu_exact": F.gelu,
    "silu": F.silu,
    "swiglu": swiglu,
}


class Layer(nn.Module):
    """Attention, cross-attention (of a decoder that has an encoder), FFN; each in the residual."""

    def __init__(self, config: ModelConfig, cross: bool) -> None:
        super().__init__()
        d, f, kv, bias = config.d_model, config.d_ff, config.kv_heads * config.d_head, config.bias
        self.heads, self.kv_heads, self.d_head = config.n_heads, config.kv_heads, config.d_head
        self.pre, self.cross = config.norm_position == "pre", cross
        self.gqa = config.kv_heads != config.n_heads
        self.activation = ACTIVATIONS[config.activation]
        self.drop = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.attn_norm = norm(config)
        self.qkv = nn.Linear(d, d + 2 * kv, bias)
        self.attn_proj = nn.Linear(d, d, bias)
        if cross:
            self.cross_norm = norm(config)
            self.cross_q = nn.Linear(d, d, bias)
            self.cross_kv = nn.Linear(d, 2 * kv, bias)
            self.cross_proj = nn.Linear(d, d, bias)
        self.ffn_norm = norm(config)
        self.ffn_up = nn.Linear(d, 2 * f if config.activation == "swiglu" else f, bias)
        self.ffn_down = nn.Linear(f, d, bias)

    def forward(
        self,
        x: Tensor,
        causal: bool,
        seen: Tensor | None,
        turn: Tensor | None,
        memory: Tensor | None,
        memory_seen: Tensor | None,
    ) -> Tensor:
        """x: (B, T, D); seen: bool, broadcasts to (B, H, T, T); turn: complex (T, 1, d_head/2)."""
        if self.pre:
            x = x + self.drop(self.attend(self.attn_norm(x), causal, seen, turn))
            if self.cross:
                x = x + self.drop(self.look(self.cross_norm(x), memory, memory_seen))
            return x + self.drop(self.ffn(self.ffn_norm(x)))
        x = self.attn_norm(x + self.drop(self.attend(x, causal, seen, turn)))
        if self.cross:
            x = self.cross_norm(x + self.drop(self.look(x, memory, memory_seen)))
        return self.ffn_norm(x + self.drop(self.ffn(x)))

    def attend(self, x: Tensor, causal: bool, seen: Tensor | None, turn: Tensor | None) -> Tensor:
        """Self-attention of x (B, T, D)."""
        heads, kv = self.heads, self.kv_heads
        split = self.qkv(x).unflatten(2, (heads + 2 * kv, self.d_head))  # (B, T, H+2G, d_head)
        if turn is None:
            q, k, v = split.transpose(1, 2).split([heads, kv, kv], dim=1)
        else:
            turning, v = split.split([heads + kv, kv], dim=2)
            pairs = torch.view_as_complex(turning.unflatten(3, (-1, 2)))
            turned = torch.view_as_real(pairs * turn).flatten(3)
            q, k = turned.transpose(1, 2).split([heads, kv], dim=1)
            v = v.transpose(1, 2)
        return self.attn_proj(self.mix(q, k, v, seen, causal))

    def look(self, x: Tensor, memory: Tensor, seen: Tensor | None) -> Tensor:
        """Cross-attention of x (B, T, D) to the encoder's output (B, S, D)."""
        q = self.cross_q(x).unflatten(2, (self.heads, self.d_head)).transpose(1, 2)
        kv = self.cross_kv(memory).unflatten(2, (2 * self.kv_heads, self.d_head)).transpose(1, 2)
        k, v = kv.chunk(2, dim=1)
        return self.cross_proj(self.mix(q, k, v, seen, False))

    def mix(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        """softmax(q k^T) v. q: (B, H, T, d_head) -> (B, T, D)."""
        out = F.scaled_dot_product_attention(
            q, k, v, attn_mask=seen, is_causal=causal, enable_gqa=self.gqa
        )
        return out.transpose(1, 2).flatten(2)

    def ffn(self, x: Tensor) -> Tensor:
        return self.ffn_down(self.activation(self.ffn_up(x)))


class Stack(nn.Module):
    """Layers and the norm behind them."""

    def __init__(self, config: ModelConfig, cross: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config, cross) for _ in range(config.n_layers))
        self.final_norm = norm(config) if config.norm_position == "pre" else nn.Identity()

    def run(
        self,
        x: Tensor,
        causal: bool,
        mask: Tensor | None,
        turn: Tensor | None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """x: (B, T, D); masks: bool (B, T), (B, S), true at real tokens."""
        seen = None if mask is None else mask[:, None, None]
        if seen is not None and causal:
            length = x.shape[1]
            seen, causal = seen & torch.ones(length, length, dtype=torch.bool).tril(), False
        memory_seen = None if memory_mask is None else memory_mask[:, None, None]
        for layer in self.layers:
            x = layer(x, causal, seen, turn, memory, memory_seen)
        return self.final_norm(x)


class Model(Stack):
    """Logits (B, T, V) of tokens (B, T), in all kinds of `ModelConfig`."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        both = config.kind == "encoder-decoder"
        super().__init__(config, cross=both)
        self.causal = config.kind != "encoder"
        self.embed = nn.Embedding(vocab_size, config.d_model)
        self.head = None if config.tied_head else nn.Linear(config.d_model, vocab_size, bias=False)
        self.drop = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.encoder = Stack(config, cross=False) if both else None
        self.positions = None
        table, turn = None, None
        place = torch.arange(config.context, dtype=torch.float64)[:, None]
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.d_model)
        elif config.positions == "sinusoidal":
            angle = place * 10000.0 ** (-torch.arange(0, config.d_model, 2) / config.d_model)
            table = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).float() * EMBED_STD
        else:
            angle = place * 10000.0 ** (-torch.arange(0, config.d_head, 2) / config.d_head)
            turn = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)[:, None]
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("turn", turn, persistent=False)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
    ) -> Tensor:
        """Arguments as `transformer.forward`; T and S are at most the context."""
        memory = None
        if self.encoder is not None:
            x, turn = self.begin(source)
            memory = self.encoder.run(x, False, source_mask, turn)
        x, turn = self.begin(tokens)
        x = self.run(x, self.causal, mask, turn, memory, source_mask)
        return self.head(x) if self.head is not None else F.linear(x, self.embed.weight)

    def begin(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """The embedded tokens (B, T, D), and the rotation of their positions."""
        x, length = self.embed(tokens), tokens.shape[1]
        if self.positions is not None:
            x = x + self.positions.weight[:length]
        elif self.table is not None:
            x = x + self.table[:length]
        return self.drop(x), None if self.turn is None else self.turn[:length]


def norm(config: ModelConfig) -> nn.Module:
    """The config's norm."""
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.d_model, eps=NORM_EPS)
    return nn.LayerNorm(config.d_model, eps=NORM_EPS, bias=config.bias)
