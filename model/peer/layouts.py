"""GPT-2 and Llama as PyTorch programs compute them, each in its own names and conventions.

Random tensors go through such a program, and through a file and the import into ours; the logits
must be the same. Needs torch, which is not among the requirements.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from model import transformer, weights
from model.foreign.layouts import LLAMA_HF

Tensor = Any  # torch.Tensor, also where torch is not installed
State = dict[str, Tensor]
D, WIDE, HEADS, KV, LAYERS, VOCAB, CONTEXT = 64, 160, 4, 2, 3, 50, 32


# -- programs ------------------------------------------------------------------------------------
def gpt2(t: State, tokens: Tensor, conv1d: bool, approximate: str) -> Tensor:
    """Hugging Face's GPT-2 (conv1d: matrices (in, out)), minGPT or nanoGPT."""

    def linear(x: Tensor, name: str) -> Tensor:
        weight = t[name + ".weight"].T if conv1d else t[name + ".weight"]
        return F.linear(x, weight, t.get(name + ".bias"))

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (D,), t[name + ".weight"], t.get(name + ".bias"), 1e-5)

    batch, length = tokens.shape
    x = t["transformer.wte.weight"][tokens] + t["transformer.wpe.weight"][:length]
    for layer in range(LAYERS):
        name = f"transformer.h.{layer}."
        parts = linear(norm(x, name + "ln_1"), name + "attn.c_attn").split(D, dim=2)
        q, k, v = (p.view(batch, length, HEADS, D // HEADS).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(y.transpose(1, 2).reshape(batch, length, D), name + "attn.c_proj")
        up = linear(norm(x, name + "ln_2"), name + "mlp.c_fc")
        x = x + linear(F.gelu(up, approximate=approximate), name + "mlp.c_proj")
    head = t.get("lm_head.weight", t["transformer.wte.weight"])
    return F.linear(norm(x, "transformer.ln_f"), head)


def llama(t: State, tokens: Tensor, rotate: Callable[[Tensor], Tensor]) -> Tensor:
    """Llama in Meta's names; `rotate` turns q and k (B, T, H, d_head) by their positions."""

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, t[name + ".weight"])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.rms_norm(x, (D,), t[name + ".weight"], 1e-5)

    def heads(x: Tensor, name: str) -> Tensor:
        return linear(x, name).unflatten(2, (-1, D // HEADS))

    x = t["tok_embeddings.weight"][tokens]
    for layer in range(LAYERS):
        name = f"layers.{layer}."
        normed = norm(x, name + "attention_norm")
        q, k = (rotate(heads(normed, f"{name}attention.w{one}")) for one in "qk")
        k, v = (
            part.repeat_interleave(HEADS // KV, dim=2).transpose(1, 2)
            for part in (k, heads(normed, name + "attention.wv"))
        )
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, is_causal=True)
        x = x + linear(y.transpose(1, 2).flatten(2), name + "attention.wo")
        normed = norm(x, name + "ffn_norm")
        gate = F.silu(linear(normed, name + "feed_forward.w1"))
        up = linear(normed, name + "feed_forward.w3")
        x = x + linear(gate * up, name + "feed_forward.w2")
    head = t.get("output.weight", t["tok_embeddings.weight"])
    return F.linear(norm(x, "norm"), head)


def angles(length: int) -> Tensor:
    """(T, 1, d_head/2)."""
    speed = 10000.0 ** (-torch.arange(0, D // HEADS, 2).float() / (D // HEADS))
    return torch.outer(torch.arange(length).float(), speed)[:, None]


def rotate_halves(x: Tensor) -> Tensor:
    """Hugging Face's: j turns with j + d_head/2."""
    angle = torch.cat([angles(x.shape[1])] * 2, dim=2)
    a, b = x.chunk(2, dim=3)
    return x * angle.cos() + torch.cat([-b, a], dim=3) * angle.sin()


def rotate_pairs(x: Tensor) -> Tensor:
    """Meta's: 2j turns with 2j + 1, as a complex number."""
    angle = angles(x.shape[1])
    turn = torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(torch.view_as_complex(x.unflatten(3, (-1, 2))) * turn).flatten(3)


def llama_hf(t: State, tokens: Tensor) -> Tensor:
    """Llama in Hugging Face's names."""
    metas = {}
    for name, tensor in t.items():
        bare = name.removeprefix("model.")
        for theirs, meta in LLAMA_HF.items():
            bare = bare.replace(theirs + ".", meta + ".")
        metas[bare] = tensor
    return llama(metas, tokens, rotate_halves)


# -- random models of them -----------------------------------------------------------------------
def gpt2_state(conv1d: bool, bias: bool, head: bool) -> State:
    linears = {"attn.c_attn": (D, 3 * D), "attn.c_proj": (D, D)}
    linears |= {"mlp.c_fc": (D, WIDE), "mlp.c_proj": (WIDE, D)}
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(LAYERS):
        name = f"transformer.h.{layer}."
        for part, shape in linears.items():
            shapes[f"{name}{part}.weight"] = shape if conv1d else shape[::-1]
            shapes[f"{name}{part}.bias"] = shape[1:]
        for part in ("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"):
            shapes[name + part] = (D,)
    shapes |= {"transformer.ln_f.weight": (D,), "transformer.ln_f.bias": (D,)}
    if not bias:
        shapes = {name: shape for name, shape in shapes.items() if not name.endswith(".bias")}
    tables = {"transformer.wte.weight": (VOCAB, D), "transformer.wpe.weight": (CONTEXT, D)}
    return _random(shapes | tables | ({"lm_head.weight": (VOCAB, D)} if head else {}))


def llama_state(huggingface: bool, head: bool) -> State:
    kv = KV * D // HEADS
    parts = {"attention.wq": (D, D), "attention.wk": (kv, D), "attention.wv": (kv, D)}
    parts |= {"attention.wo": (D, D), "feed_forward.w1": (WIDE, D), "feed_forward.w3": (WIDE, D)}
    shapes: dict[str, tuple[int, ...]] = {"tok_embeddings.weight": (VOCAB, D)}
    for layer in range(LAYERS):
        for part, shape in parts.items():
            shapes[f"layers.{layer}.{part}.weight"] = shape
        shapes[f"layers.{layer}.feed_forward.w2.weight"] = (D, WIDE)
        shapes[f"layers.{layer}.attention_norm.weight"] = (D,)
        shapes[f"layers.{layer}.ffn_norm.weight"] = (D,)
    shapes["norm.weight"] = (D,)
    if head:
        shapes["output.weight"] = (VOCAB, D)
    if huggingface:
        for theirs, meta in LLAMA_HF.items():
            shapes = {name.replace(meta + ".", theirs + "."): s for name, s in shapes.items()}
        shapes = {n if n.startswith("lm_head") else "model." + n: s for n, s in shapes.items()}
    return _random(shapes)


def _random(shapes: dict[str, tuple[int, ...]]) -> State:
    """Gains around 1, tables and matrices that leave the stream lively."""
    return {
        name: torch.randn(shape) * 0.1 + ("norm" in name or "ln_" in name) * name.endswith("weight")
        if len(shape) == 1
        else torch.randn(shape) * (1.5 / D**0.5)
        for name, shape in shapes.items()
    }


# -- through the import --------------------------------------------------------------------------
def errors(seed: int = 1) -> dict[str, float]:
    """Layout -> largest absolute difference of our logits to the program's."""
    torch.manual_seed(seed)
    tokens = torch.randint(VOCAB, (4, CONTEXT))
    pt = (
        ".pt",
        lambda state, path: torch.save(
            {"model": state, "model_args": {"n_head": HEADS}, "iter_num": 1}, path
        ),
    )
    plain = ".pth", torch.save
    safe = ".safetensors", save_file
    nanogpt, mingpt = (partial(gpt2, conv1d=False, approximate=a) for a in ("none", "tanh"))
    huggingface = partial(gpt2, conv1d=True, approximate="tanh")
    mask = {"transformer.h.0.attn.bias": torch.ones(1, 1, CONTEXT, CONTEXT)}
    cases: dict[str, tuple[Callable, State, tuple]] = {
        "nanoGPT": (nanogpt, gpt2_state(False, True, False), pt),
        "nanoGPT without biases": (nanogpt, gpt2_state(False, False, True), safe),
        "minGPT": (mingpt, gpt2_state(False, True, True) | mask, plain),
        "GPT-2, Hugging Face": (huggingface, gpt2_state(True, True, False), safe),
        "Llama, Hugging Face": (llama_hf, llama_state(True, True), safe),
        "Llama, Meta": (partial(llama, rotate=rotate_pairs), llama_state(False, False), plain),
    }
    result = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for name, (program, state, (suffix, save)) in cases.items():
            path = Path(folder) / f"model{suffix}"
            save(state, path)
            found = weights.load(path, None if suffix == ".pt" else HEADS, CONTEXT)
            ours = transformer.forward(found.params, tokens.numpy(), found.config)
            result[name] = float((torch.from_numpy(ours) - program(state, tokens)).abs().max())
    return result
