"""One layer of a transformer: attention, cross-attention and FFN, each added to the residual.

Each sublayer f is a pair of functions (`self_attention_*`, `cross_attention_*`, `ffn_*`); the pair
`residual_*` puts it into the residual stream, and `layer_*` runs a layer's sublayers in order:

    pre-norm    x + dropout(f(norm(x)))       (arXiv 2002.04745)
    post-norm   norm(x + dropout(f(x)))       (arXiv 1706.03762)

N = B*T positions of the stream, M = B*S of the encoder's; D = d_model, H heads, G of keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.schema import ModelConfig
from model import layers
from model.attention import attention_backward, attention_forward, attention_probs, scale
from model.gelu import gelu_exact_backward, gelu_exact_forward
from model.params import Params

Array = np.ndarray
Capture = dict[str, Array]
Cache = tuple[Any, ...]
ACTIVATIONS = {
    "relu": (layers.relu_forward, layers.relu_backward),
    "gelu": (layers.gelu_forward, layers.gelu_backward),
    "gelu_exact": (gelu_exact_forward, gelu_exact_backward),
    "silu": (layers.silu_forward, layers.silu_backward),
    "swiglu": (layers.swiglu_forward, layers.swiglu_backward),
}


@dataclass(frozen=True)
class Stream:
    """What all layers of one stack share. `memory` is the encoder's output, for the decoder."""

    config: ModelConfig
    shape: tuple[int, int]  # (B, T)
    causal: bool
    hidden: Array | None = None  # (B, 1, 1, T), as attention.padding
    turn: Array | None = None  # (T, d_head/2), rotary positions
    rng: np.random.Generator | None = None  # of dropout; None: no dropout
    capture: Capture | None = None
    memory: Array | None = None  # (M, D)
    memory_hidden: Array | None = None  # (B, 1, 1, S)

    def note(self, stage: str, value: Array) -> None:
        """Put a copy of (N, ...) into the capture, if there is one, as (B, T, features)."""
        if self.capture is not None:
            self.capture[stage] = value.reshape(*self.shape, -1).copy()

    def note_attention(
        self, name: str, q: Array, k: Array, causal: bool, hidden: Array | None
    ) -> None:
        """Scores and probabilities (B, H, T, S), computed only for looking."""
        if self.capture is not None:
            scores, probs = attention_probs(q, k, causal, hidden)
            self.capture[name + "_scores"], self.capture[name + "_probs"] = scores, probs


# -- a layer -----------------------------------------------------------------------------------
def layer_forward(
    params: dict[str, Array], name: str, x: Array, stream: Stream
) -> tuple[Array, list[Cache]]:
    """All sublayers of one layer. x: (N, D); name: "layers.0." or "encoder.layers.0."."""
    x, attention = residual_forward(params, name, "attn", x, self_attention_forward, stream)
    caches = [attention]
    if stream.memory is not None:
        x, cross = residual_forward(params, name, "cross", x, cross_attention_forward, stream)
        caches.append(cross)
    x, ffn = residual_forward(params, name, "ffn", x, ffn_forward, stream)
    return x, [*caches, ffn]


def layer_backward(
    grads: Params,
    name: str,
    dx: Array,
    caches: list[Cache],
    stream: Stream,
    dmemory: Array | None = None,
) -> Array:
    """dx: (N, D), gradient of the layer's output -> that of its input; adds to dmemory (M, D).
    Takes the caches out of the list, so that their memory is free for what comes after."""
    dx = residual_backward(grads, name, "ffn", dx, caches.pop(), ffn_backward, stream)
    if dmemory is not None:

        def cross(grads: Params, name: str, dy: Array, cache: Cache, stream: Stream) -> Array:
            dnormed, from_memory = cross_attention_backward(grads, name, dy, cache, stream)
            np.add(dmemory, from_memory, out=dmemory)
            return dnormed

        dx = residual_backward(grads, name, "cross", dx, caches.pop(), cross, stream)
    return residual_backward(grads, name, "attn", dx, caches.pop(), self_attention_backward, stream)


def residual_forward(
    params: dict[str, Array], name: str, part: str, x: Array, sublayer: Callable, stream: Stream
) -> tuple[Array, Cache]:
    """x plus a sublayer, with its norm and dropout. x: (N, D); part: attn, cross or ffn."""
    config, norm_name = stream.config, f"{name}{part}_norm"
    pre, norm, drop = config.norm_position == "pre", None, None
    inside = x
    if pre:
        inside, norm = norm_forward(params, norm_name, x, config)
        stream.note(norm_name, inside)
    y, cache = sublayer(params, name, inside, stream)
    if stream.rng is not None:
        y, drop = layers.dropout_forward(y, config.dropout, stream.rng)
    y += x
    stream.note(f"{name}{part}_residual", y)
    if not pre:
        y, norm = norm_forward(params, norm_name, y, config)
        stream.note(norm_name, y)
    return y, (norm, cache, drop)


def residual_backward(
    grads: Params,
    name: str,
    part: str,
    dy: Array,
    cache: Cache,
    sublayer: Callable,
    stream: Stream,
) -> Array:
    """dy: (N, D) -> gradient of x (N, D)."""
    norm, inner, drop = cache
    pre, norm_name = stream.config.norm_position == "pre", f"{name}{part}_norm"
    if not pre:
        dy = norm_backward(grads, norm_name, dy, norm, stream.config)
    dinside = layers.dropout_backward(dy, drop) if drop else dy
    dx = sublayer(grads, name, dinside, inner, stream)
    if pre:
        dx = norm_backward(grads, norm_name, dx, norm, stream.config)
    dx += dy
    return dx


# -- self-attention ----------------------------------------------------------------------------
def self_attention_forward(
    params: dict[str, Array], name: str, x: Array, stream: Stream
) -> tuple[Array, Cache]:
    """proj(attention(q, k, v of x)). x: (N, D)."""
    heads, kv_heads = stream.config.n_heads, stream.config.kv_heads
    qkv, linear = linear_forward(params, name + "qkv", x)  # (N, D+2K)
    split = qkv.reshape(*stream.shape, heads + 2 * kv_heads, -1)
    if stream.turn is not None:
        layers.rotate(split[:, :, : heads + kv_heads], stream.turn)
    q, k, v = split_heads(split, heads, kv_heads)
    stream.note(name + "q", q.swapaxes(1, 2))
    stream.note(name + "k", k.swapaxes(1, 2))
    stream.note(name + "v", v.swapaxes(1, 2))
    stream.note_attention(name + "attn", q, k, stream.causal, stream.hidden)
    scale(q)
    attn_out, attention = attention_forward(q, k, v, causal=stream.causal, hidden=stream.hidden)
    y, proj = linear_forward(params, name + "attn_proj", attn_out.reshape(x.shape))
    stream.note(name + "attn_out", attn_out)
    return y, (linear, attention, proj)


def self_attention_backward(
    grads: Params, name: str, dy: Array, cache: Cache, stream: Stream
) -> Array:
    """dy: (N, D) -> gradient of x (N, D)."""
    linear, attention, proj = cache
    heads, kv_heads, d_head = stream.config.n_heads, stream.config.kv_heads, stream.config.d_head
    dout = linear_backward(grads, name + "attn_proj", dy, proj)
    dqkv = np.empty((*stream.shape, heads + 2 * kv_heads, d_head), dy.dtype)
    dout = dout.reshape(*stream.shape, heads, d_head)
    dq, dk, dv = split_heads(dqkv, heads, kv_heads)
    attention_backward(dout, attention, into=(dq, dk, dv))
    scale(dq)
    if stream.turn is not None:
        layers.rotate(dqkv[:, :, : heads + kv_heads], stream.turn.conj())
    return linear_backward(grads, name + "qkv", dqkv.reshape(len(dy), -1), linear)


def split_heads(qkv: Array, heads: int, kv_heads: int) -> tuple[Array, Array, Array]:
    """Views q (B, H, T, d_head), k and v (B, G, T, d_head) of (B, T, H+2G, d_head)."""
    swapped = qkv.swapaxes(1, 2)
    end = heads + kv_heads
    return swapped[:, :heads], swapped[:, heads:end], swapped[:, end:]


# -- cross-attention ---------------------------------------------------------------------------
def cross_attention_forward(
    params: dict[str, Array], name: str, x: Array, stream: Stream
) -> tuple[Array, Cache]:
    """proj(attention(q of x, k and v of the encoder's output)). x: (N, D)."""
    assert stream.memory is not None
    batch, length = stream.shape
    heads, kv_heads = stream.config.n_heads, stream.config.kv_heads
    rows, q_linear = linear_forward(params, name + "cross_q", x)
    kv, kv_linear = linear_forward(params, name + "cross_kv", stream.memory)  # (M, 2K)
    q = rows.reshape(batch, length, heads, -1).swapaxes(1, 2)
    k, v = split_memory(kv, batch, kv_heads)
    hidden = stream.memory_hidden
    stream.note_attention(name + "cross", q, k, False, hidden)
    scale(q)
    out, attention = attention_forward(q, k, v, causal=False, hidden=hidden)
    y, proj = linear_forward(params, name + "cross_proj", out.reshape(x.shape))
    stream.note(name + "cross_out", out)
    return y, (q_linear, kv_linear, attention, proj)


def cross_attention_backward(
    grads: Params, name: str, dy: Array, cache: Cache, stream: Stream
) -> tuple[Array, Array]:
    """dy: (N, D) -> gradients of x (N, D) and of the encoder's output (M, D)."""
    q_linear, kv_linear, attention, proj = cache
    (batch, length), heads = stream.shape, stream.config.n_heads
    dout = linear_backward(grads, name + "cross_proj", dy, proj)
    dout = dout.reshape(batch, length, heads, -1)
    drows = np.empty_like(dout)
    dkv = np.empty((len(kv_linear[0]), kv_linear[1].shape[1]), dy.dtype)
    dk, dv = split_memory(dkv, batch, stream.config.kv_heads)
    attention_backward(dout, attention, into=(drows.swapaxes(1, 2), dk, dv))
    scale(drows)
    dmemory = linear_backward(grads, name + "cross_kv", dkv, kv_linear)
    return linear_backward(grads, name + "cross_q", drows.reshape(dy.shape), q_linear), dmemory


def split_memory(kv: Array, batch: int, kv_heads: int) -> tuple[Array, Array]:
    """Views k, v (B, G, S, d_head) of (M, 2K)."""
    split = kv.reshape(batch, len(kv) // batch, 2 * kv_heads, -1).swapaxes(1, 2)
    return split[:, :kv_heads], split[:, kv_heads:]


# -- FFN ---------------------------------------------------------------------------------------
def ffn_forward(
    params: dict[str, Array], name: str, x: Array, stream: Stream
) -> tuple[Array, Cache]:
    """down(act(up(x))). x: (N, D)."""
    before, up = linear_forward(params, name + "ffn_up", x)  # (N, F); swiglu (N, 2F)
    hidden, activation = ACTIVATIONS[stream.config.activation][0](before)
    y, down = linear_forward(params, name + "ffn_down", hidden)
    stream.note(name + "ffn_up", before)
    stream.note(name + "ffn_hidden", hidden)
    return y, (up, activation, down)


def ffn_backward(grads: Params, name: str, dy: Array, cache: Cache, stream: Stream) -> Array:
    """dy: (N, D) -> gradient of x (N, D)."""
    up, activation, down = cache
    activation_backward = ACTIVATIONS[stream.config.activation][1]
    dbefore = activation_backward(
        linear_backward(grads, name + "ffn_down", dy, down), activation
    )  # (N, F); no name keeps the gradient of `hidden`, which is as large
    return linear_backward(grads, name + "ffn_up", dbefore, up)


# -- layers by the names of their parameters ---------------------------------------------------
def linear_forward(params: dict[str, Array], name: str, x: Array) -> tuple[Array, Cache]:
    """As `layers.linear_forward`."""
    return layers.linear_forward(x, params[name + ".weight"], params.get(name + ".bias"))


def linear_backward(grads: Params, name: str, dy: Array, cache: Cache) -> Array:
    """Write the parameters' gradients; return dx."""
    dx, dweight, dbias = layers.linear_backward(dy, cache)
    grads[name + ".weight"][...] = dweight
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx


def norm_forward(
    params: dict[str, Array], name: str, x: Array, config: ModelConfig
) -> tuple[Array, Cache]:
    """The config's norm."""
    if config.norm == "rmsnorm":
        return layers.rmsnorm_forward(x, params[name + ".weight"])
    return layers.layernorm_forward(x, params[name + ".weight"], params.get(name + ".bias"))


def norm_backward(grads: Params, name: str, dy: Array, cache: Cache, config: ModelConfig) -> Array:
    """Write the parameters' gradients; return dx."""
    if config.norm == "rmsnorm":
        dx, grads[name + ".weight"][...] = layers.rmsnorm_backward(dy, cache)
        return dx
    dx, grads[name + ".weight"][...], dbias = layers.layernorm_backward(dy, cache)
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx
