"""The decoder-only, pre-norm transformer: forward and backward. `params.py` names the parameters.

A block is x += proj(attention(norm(x))); x += down(act(up(norm(x)))). Scores are scaled by
1/sqrt(d_head). Sinusoidal positions are a fixed table (`position_table`), rotary ones turn q and k.
N = B*T positions, D = d_model, H heads, V = vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.schema import ModelConfig
from model import layers
from model.attention import attention_backward, attention_forward, attention_probs
from model.params import Params, empty, head_weight, init, position_table, split_qkv

__all__ = [
    "Params",
    "backward",
    "empty",
    "forward",
    "forward_cached",
    "head_weight",
    "init",
    "loss_and_gradients",
    "position_table",
    "split_qkv",
]

Array = np.ndarray
Capture = dict[str, Array]
Cache = tuple[Any, ...]
ACTIVATIONS = {
    "relu": (layers.relu_forward, layers.relu_backward),
    "gelu": (layers.gelu_forward, layers.gelu_backward),
}


# -- forward -----------------------------------------------------------------------------------
def forward(
    params: dict[str, Array], tokens: Array, config: ModelConfig, capture: Capture | None = None
) -> Array:
    """Logits (B, T, V) of tokens (B, T), T <= context.

    `capture` receives every named stage: (B, T, ...) arrays; q, k (after rotation), v and attn_out
    as (B, T, D), head-major; attn_scores (-inf where masked) and attn_probs as (B, H, T, T).
    Beyond the named stages, `layers.{l}.ffn_up` is the hidden layer before its activation.
    """
    return forward_cached(params, tokens, config, capture)[0]


def forward_cached(
    params: dict[str, Array], tokens: Array, config: ModelConfig, capture: Capture | None = None
) -> tuple[Array, Cache]:
    """As `forward`, and the cache that `backward` needs."""
    batch, length = tokens.shape
    if length > config.context:
        raise ValueError(f"{length} tokens do not fit into the context of {config.context}")
    note = _Note(capture, batch, length)
    flat = tokens.reshape(-1)  # (N,)
    x = params["embed.weight"][flat]  # (N, D)
    table, turn = position_table(params, config), None
    if table is not None:
        x.reshape(batch, length, -1)[...] += table[:length]
    else:
        turn = layers.rotary_table(length, config.d_head, x.dtype)  # (T, d_head/2)
    note("embed", x)
    caches = []
    for layer in range(config.n_layers):
        x, attention = _attention_forward(params, f"layers.{layer}.", x, turn, config, note)
        x, ffn = _ffn_forward(params, f"layers.{layer}.", x, config, note)
        caches.append((attention, ffn))
    normed, norm = _norm_forward(params, "final_norm", x, config)
    logits = normed @ head_weight(params).T  # (N, V)
    note("final_norm", normed)
    note("logits", logits)
    return logits.reshape(batch, length, -1), (tokens, turn, caches, normed, norm)


def _attention_forward(
    params: dict[str, Array],
    name: str,
    x: Array,
    turn: Array | None,
    config: ModelConfig,
    note: _Note,
) -> tuple[Array, Cache]:
    """x + proj(attention(norm(x))). x: (N, D); turn: rotary table or None."""
    normed, norm = _norm_forward(params, name + "attn_norm", x, config)
    qkv, linear = _linear_forward(params, name + "qkv", normed)  # (N, 3D)
    split = qkv.reshape(*note.shape, 3, config.n_heads, config.d_head)
    if turn is not None:
        layers.rotate(split[:, :, 0], turn)
        layers.rotate(split[:, :, 1], turn)
    q, k, v = split.transpose(2, 0, 3, 1, 4)  # each (B, H, T, d_head)
    attn_out, attention = attention_forward(q, k, v)
    y, proj = _linear_forward(params, name + "attn_proj", attn_out.reshape(x.shape))
    y += x
    note(name + "attn_norm", normed)
    note(name + "q", q.swapaxes(1, 2))
    note(name + "k", k.swapaxes(1, 2))
    note(name + "v", v.swapaxes(1, 2))
    note.attention(name, q, k)
    note(name + "attn_out", attn_out)
    note(name + "attn_residual", y)
    return y, (norm, linear, attention, proj)


def _ffn_forward(
    params: dict[str, Array], name: str, x: Array, config: ModelConfig, note: _Note
) -> tuple[Array, Cache]:
    """x + down(act(up(norm(x)))). x: (N, D)."""
    normed, norm = _norm_forward(params, name + "ffn_norm", x, config)
    before, up = _linear_forward(params, name + "ffn_up", normed)  # (N, F)
    hidden, activation = ACTIVATIONS[config.activation][0](before)
    y, down = _linear_forward(params, name + "ffn_down", hidden)
    y += x
    note(name + "ffn_norm", normed)
    note(name + "ffn_up", before)
    note(name + "ffn_hidden", hidden)
    note(name + "ffn_residual", y)
    return y, (norm, up, activation, down)


class _Note:
    """Puts copies of stages into a capture dict; does nothing when there is none."""

    def __init__(self, capture: Capture | None, batch: int, length: int) -> None:
        self.capture, self.shape = capture, (batch, length)

    def __call__(self, stage: str, value: Array) -> None:
        if self.capture is not None:
            self.capture[stage] = value.reshape(*self.shape, -1).copy()

    def attention(self, name: str, q: Array, k: Array) -> None:
        if self.capture is not None:
            scores, probs = attention_probs(q, k)
            self.capture[name + "attn_scores"], self.capture[name + "attn_probs"] = scores, probs


def _linear_forward(params: dict[str, Array], name: str, x: Array) -> tuple[Array, Cache]:
    return layers.linear_forward(x, params[name + ".weight"], params.get(name + ".bias"))


def _norm_forward(
    params: dict[str, Array], name: str, x: Array, config: ModelConfig
) -> tuple[Array, Cache]:
    if config.norm == "rmsnorm":
        return layers.rmsnorm_forward(x, params[name + ".weight"])
    return layers.layernorm_forward(x, params[name + ".weight"], params.get(name + ".bias"))


# -- backward ----------------------------------------------------------------------------------
def loss_and_gradients(
    params: Params, tokens: Array, targets: Array, config: ModelConfig, grads: Params
) -> float:
    """Mean cross-entropy of one batch in nats; its gradients overwrite `grads`.

    tokens, targets: (B, T) ints; a target of -1 is not looked at.
    """
    logits, cache = forward_cached(params, tokens, config)
    loss, loss_cache = layers.cross_entropy_forward(
        logits.reshape(-1, logits.shape[2]), targets.reshape(-1)
    )
    backward(params, layers.cross_entropy_backward(loss_cache), cache, config, grads)
    return loss


def backward(
    params: Params, dlogits: Array, cache: Cache, config: ModelConfig, grads: Params
) -> None:
    """Gradients of all parameters from dlogits (N, V) and the cache of `forward_cached`."""
    tokens, turn, caches, normed, norm = cache
    dhead = dlogits.T @ normed  # (V, D)
    dx = dlogits @ head_weight(params)  # (N, D)
    dx = _norm_backward(grads, "final_norm", dx, norm, config)
    for layer in reversed(range(config.n_layers)):
        attention, ffn = caches[layer]
        dx = _ffn_backward(grads, f"layers.{layer}.", dx, ffn, config)
        dx = _attention_backward(
            grads, f"layers.{layer}.", dx, attention, turn, tokens.shape, config
        )
    grads["embed.weight"][...] = layers.embedding_backward(dx, tokens.reshape(-1), len(dhead))
    if config.tied_head:
        grads["embed.weight"] += dhead
    else:
        grads["head.weight"][...] = dhead
    if config.positions == "learned":
        grads["positions.weight"][...] = 0
        grads["positions.weight"][: tokens.shape[1]] = dx.reshape(*tokens.shape, -1).sum(axis=0)


def _ffn_backward(grads: Params, name: str, dy: Array, cache: Cache, config: ModelConfig) -> Array:
    """dy: (N, D), gradient of the sum -> that of x."""
    norm, up, activation, down = cache
    dhidden = _linear_backward(grads, name + "ffn_down", dy, down)
    dbefore = ACTIVATIONS[config.activation][1](dhidden, activation)
    dnormed = _linear_backward(grads, name + "ffn_up", dbefore, up)
    dx = _norm_backward(grads, name + "ffn_norm", dnormed, norm, config)
    dx += dy
    return dx


def _attention_backward(
    grads: Params,
    name: str,
    dy: Array,
    cache: Cache,
    turn: Array | None,
    shape: tuple[int, int],
    config: ModelConfig,
) -> Array:
    """dy: (N, D), gradient of the sum -> that of x. shape: (B, T)."""
    norm, linear, attention, proj = cache
    dout = _linear_backward(grads, name + "attn_proj", dy, proj)
    dqkv = np.empty((*shape, 3, config.n_heads, config.d_head), dy.dtype)
    dq, dk, dv = dqkv.transpose(2, 0, 3, 1, 4)  # each (B, H, T, d_head)
    dout = dout.reshape(*shape, config.n_heads, config.d_head)
    attention_backward(dout, attention, into=(dq, dk, dv))
    if turn is not None:
        layers.rotate(dqkv[:, :, 0], turn.conj())
        layers.rotate(dqkv[:, :, 1], turn.conj())
    dnormed = _linear_backward(grads, name + "qkv", dqkv.reshape(len(dy), -1), linear)
    dx = _norm_backward(grads, name + "attn_norm", dnormed, norm, config)
    dx += dy
    return dx


def _linear_backward(grads: Params, name: str, dy: Array, cache: Cache) -> Array:
    dx, dweight, dbias = layers.linear_backward(dy, cache)
    grads[name + ".weight"][...] = dweight
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx


def _norm_backward(grads: Params, name: str, dy: Array, cache: Cache, config: ModelConfig) -> Array:
    if config.norm == "rmsnorm":
        dx, grads[name + ".weight"][...] = layers.rmsnorm_backward(dy, cache)
        return dx
    dx, grads[name + ".weight"][...], dbias = layers.layernorm_backward(dy, cache)
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx
