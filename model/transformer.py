"""The decoder-only, pre-norm transformer: parameters, forward and backward.

Parameters are a `Params`: a dict of named views into one flat vector (so that the optimiser,
clipping and checkpoints see a single array). With D = d_model, F = d_ff, V = vocabulary, T =
context; a matrix is stored (in, out), so y = x W + b. Optional ones are marked with the option.

    embed.weight                 (V, D)
    positions.weight             (T, D)    positions = "learned"
    layers.{l}.attn_norm.weight  (D,)      and .bias, layernorm with bias
    layers.{l}.qkv.weight        (D, 3D)   columns q | k | v; each is head-major; .bias (3D,)
    layers.{l}.attn_proj.weight  (D, D)    and .bias
    layers.{l}.ffn_norm.weight   (D,)      and .bias, as attn_norm
    layers.{l}.ffn_up.weight     (D, F)    and .bias
    layers.{l}.ffn_down.weight   (F, D)    and .bias
    final_norm.weight            (D,)      and .bias, as attn_norm
    head.weight                  (V, D)    untied head; tied: embed.weight serves. Never a bias.

A block is x += proj(attention(norm(x))); x += down(act(up(norm(x)))). Scores are scaled by
1/sqrt(d_head). Sinusoidal positions are a fixed table (`position_table`), rotary ones turn q and k.
"""

from __future__ import annotations

import math

import numpy as np

from configs.schema import ModelConfig
from model import layers
from model.attention import attention_backward, attention_forward, attention_probs

Array = np.ndarray
Capture = dict[str, Array]


class Params(dict[str, Array]):
    """Named views into `flat`; the first `n_matrices` elements are the matrices (decayed)."""

    def __init__(self, flat: Array, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.flat = flat
        self.shapes = shapes
        self.n_matrices = 0
        start = 0
        for name, shape in shapes.items():
            end = start + math.prod(shape)
            self[name] = flat[start:end].reshape(shape)
            start = end
            if name.endswith(".weight") and len(shape) == 2 and name != "positions.weight":
                self.n_matrices = end

    def like(self) -> Params:
        """New parameters of the same names, all zero (for gradients)."""
        return Params(np.zeros_like(self.flat), self.shapes)


# -- parameters --------------------------------------------------------------------------------
def parameter_shapes(config: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter, matrices first."""
    d, f = config.d_model, config.d_ff
    shapes: dict[str, tuple[int, ...]] = {"embed.weight": (vocab_size, d)}
    vectors: dict[str, tuple[int, ...]] = {}

    def linear(name: str, n_in: int, n_out: int) -> None:
        shapes[f"{name}.weight"] = (n_in, n_out)
        if config.bias:
            vectors[f"{name}.bias"] = (n_out,)

    def norm(name: str) -> None:
        vectors[f"{name}.weight"] = (d,)
        if config.bias and config.norm == "layernorm":
            vectors[f"{name}.bias"] = (d,)

    for layer in range(config.n_layers):
        norm(f"layers.{layer}.attn_norm")
        linear(f"layers.{layer}.qkv", d, 3 * d)
        linear(f"layers.{layer}.attn_proj", d, d)
        norm(f"layers.{layer}.ffn_norm")
        linear(f"layers.{layer}.ffn_up", d, f)
        linear(f"layers.{layer}.ffn_down", f, d)
    norm("final_norm")
    if not config.tied_head:
        shapes["head.weight"] = (vocab_size, d)
    if config.positions == "learned":
        vectors["positions.weight"] = (config.context, d)
    return shapes | vectors


def empty(config: ModelConfig, vocab_size: int, dtype: np.dtype | type = np.float32) -> Params:
    """Parameters of the right names and shapes, all zero."""
    shapes = parameter_shapes(config, vocab_size)
    return Params(np.zeros(sum(map(math.prod, shapes.values())), dtype), shapes)


def init(
    config: ModelConfig,
    vocab_size: int,
    rng: np.random.Generator,
    dtype: np.dtype | type = np.float32,
) -> Params:
    """Random start: normal weights of std 1/sqrt(fan in), residual writers by 1/sqrt(2 layers)."""
    params = empty(config, vocab_size, dtype)
    for name, array in params.items():
        if name.endswith("norm.weight"):
            array[...] = 1
        elif name.endswith(".weight"):
            std = EMBED_STD
            if name.startswith("layers."):
                std = 1 / math.sqrt(array.shape[0])
            if name.endswith(("attn_proj.weight", "ffn_down.weight")):
                std /= math.sqrt(2 * config.n_layers)
            array[...] = rng.normal(0.0, std, array.shape)
    return params


EMBED_STD = 0.05  # tables and head: small, so that the first logits are nearly uniform


def split_qkv(params: dict[str, Array], layer: int) -> dict[str, tuple[Array, Array | None]]:
    """Views {"q": (weight (D, D), bias (D,) or None), "k": ..., "v": ...} of one layer."""
    weights = np.split(params[f"layers.{layer}.qkv.weight"], 3, axis=1)
    bias = params.get(f"layers.{layer}.qkv.bias")
    biases = np.split(bias, 3) if bias is not None else [None] * 3
    return dict(zip("qkv", zip(weights, biases, strict=True), strict=True))


def position_table(params: dict[str, Array], config: ModelConfig) -> Array | None:
    """The (T, D) table added to the embedding; None for rotary positions."""
    if config.positions == "learned":
        return params["positions.weight"]
    if config.positions == "rotary":
        return None
    speed = 10000.0 ** (-np.arange(0, config.d_model, 2) / config.d_model)
    angle = np.arange(config.context)[:, None] * speed
    table = np.empty((config.context, config.d_model), params["embed.weight"].dtype)
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return table * EMBED_STD


def head_weight(params: dict[str, Array]) -> Array:
    """The (V, D) matrix of the head: its own, or the embedding when tied."""
    return params.get("head.weight", params["embed.weight"])


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
) -> tuple[Array, tuple]:
    """As `forward`, and the cache that `backward` needs."""
    batch, length = tokens.shape
    if length > config.context:
        raise ValueError(f"{length} tokens do not fit into the context of {config.context}")
    flat = tokens.reshape(-1)  # (N,), N = B*T
    x = params["embed.weight"][flat].reshape(batch, length, -1)
    table = position_table(params, config)
    if table is not None:
        x += table[:length]
    x = x.reshape(flat.size, -1)  # (N, D)
    note = _noter(capture, batch, length)
    note("embed", x)
    caches = []
    for layer in range(config.n_layers):
        x, cache = _block_forward(params, layer, x, (batch, length), config, note)
        caches.append(cache)
    normed, norm_cache = _norm_forward(params, "final_norm", x, config)
    logits = normed @ head_weight(params).T  # (N, V)
    note("final_norm", normed)
    note("logits", logits)
    return logits.reshape(batch, length, -1), (flat, caches, normed, norm_cache, (batch, length))


def _block_forward(params, layer, x, shape, config, note):
    """One block. x: (N, D) -> (N, D)."""
    name = f"layers.{layer}."
    heads, d_head = config.n_heads, config.d_head

    normed, norm1 = _norm_forward(params, name + "attn_norm", x, config)
    qkv, linear1 = _linear_forward(params, name + "qkv", normed)
    split = qkv.reshape(*shape, 3, heads, d_head)
    if config.positions == "rotary":
        turn = layers.rotary_table(shape[1], d_head, x.dtype)
        layers.rotate(split[:, :, 0], turn)
        layers.rotate(split[:, :, 1], turn)
    q, k, v = split.transpose(2, 0, 3, 1, 4)  # each (B, H, T, d_head)
    attn_out, attention = attention_forward(q, k, v)
    attn_out = attn_out.reshape(x.shape)
    projected, linear2 = _linear_forward(params, name + "attn_proj", attn_out)
    middle = np.add(x, projected, out=projected)

    normed2, norm2 = _norm_forward(params, name + "ffn_norm", middle, config)
    up, linear3 = _linear_forward(params, name + "ffn_up", normed2)
    hidden, activation = ACTIVATIONS[config.activation][0](up)
    down, linear4 = _linear_forward(params, name + "ffn_down", hidden)
    y = np.add(middle, down, out=down)

    note(name + "attn_norm", normed)
    for stage, part in zip("qkv", (q, k, v), strict=True):
        note(name + stage, part.swapaxes(1, 2))
    note.attention(name, q, k)
    note(name + "attn_out", attn_out)
    note(name + "attn_residual", middle)
    note(name + "ffn_norm", normed2)
    note(name + "ffn_up", up)
    note(name + "ffn_hidden", hidden)
    note(name + "ffn_residual", y)
    return y, (norm1, linear1, attention, linear2, norm2, linear3, activation, linear4)


class _noter:
    """Writes copies of stages into a capture dict; does nothing when there is none."""

    def __init__(self, capture: Capture | None, batch: int, length: int) -> None:
        self.capture, self.shape = capture, (batch, length)

    def __call__(self, stage: str, value: Array) -> None:
        if self.capture is not None:
            self.capture[stage] = value.reshape(*self.shape, -1).copy()

    def attention(self, name: str, q: Array, k: Array) -> None:
        if self.capture is not None:
            scores, probs = attention_probs(q, k)
            self.capture[name + "attn_scores"], self.capture[name + "attn_probs"] = scores, probs


ACTIVATIONS = {
    "relu": (layers.relu_forward, layers.relu_backward),
    "gelu": (layers.gelu_forward, layers.gelu_backward),
}


def _linear_forward(params, name, x):
    return layers.linear_forward(x, params[name + ".weight"], params.get(name + ".bias"))


def _norm_forward(params, name, x, config):
    if config.norm == "rmsnorm":
        return layers.rmsnorm_forward(x, params[name + ".weight"])
    return layers.layernorm_forward(x, params[name + ".weight"], params.get(name + ".bias"))


# -- backward ----------------------------------------------------------------------------------
def loss_and_gradients(
    params: Params, tokens: Array, targets: Array, config: ModelConfig, grads: Params
) -> float:
    """Mean cross-entropy of one batch in nats; its gradients overwrite `grads`."""
    logits, cache = forward_cached(params, tokens, config)
    loss, loss_cache = layers.cross_entropy_forward(
        logits.reshape(-1, logits.shape[2]), targets.reshape(-1)
    )
    backward(params, layers.cross_entropy_backward(loss_cache), cache, config, grads)
    return loss


def backward(
    params: Params, dlogits: Array, cache: tuple, config: ModelConfig, grads: Params
) -> None:
    """Gradients of all parameters from dlogits (N, V) and the cache of `forward_cached`."""
    tokens, caches, normed, norm_cache, (batch, length) = cache
    dhead = dlogits.T @ normed  # (V, D)
    dx = dlogits @ head_weight(params)  # (N, D)
    dx = _norm_backward(grads, "final_norm", dx, norm_cache, config)
    for layer in reversed(range(config.n_layers)):
        dx = _block_backward(grads, layer, dx, caches[layer], (batch, length), config)
    grads["embed.weight"][...] = layers.embedding_backward(dx, tokens, dhead.shape[0])
    if config.tied_head:
        grads["embed.weight"] += dhead
    else:
        grads["head.weight"][...] = dhead
    if config.positions == "learned":
        grads["positions.weight"][...] = 0
        grads["positions.weight"][:length] = dx.reshape(batch, length, -1).sum(axis=0)


def _block_backward(grads, layer, dy, cache, shape, config):
    """dy: (N, D), gradient of a block's output -> that of its input."""
    norm1, linear1, attention, linear2, norm2, linear3, activation, linear4 = cache
    name = f"layers.{layer}."

    dhidden = _linear_backward(grads, name + "ffn_down", dy, linear4)
    dup = ACTIVATIONS[config.activation][1](dhidden, activation)
    dnormed = _linear_backward(grads, name + "ffn_up", dup, linear3)
    dx = _norm_backward(grads, name + "ffn_norm", dnormed, norm2, config)
    dx += dy

    dout = _linear_backward(grads, name + "attn_proj", dx, linear2)
    dqkv = np.empty((*shape, 3, config.n_heads, config.d_head), dx.dtype)
    dout = dout.reshape(*shape, config.n_heads, config.d_head)
    attention_backward(dout, attention, tuple(dqkv.transpose(2, 0, 3, 1, 4)))
    if config.positions == "rotary":
        turn = layers.rotary_table(shape[1], config.d_head, dx.dtype).conj()
        layers.rotate(dqkv[:, :, 0], turn)
        layers.rotate(dqkv[:, :, 1], turn)
    dnormed = _linear_backward(grads, name + "qkv", dqkv.reshape(dx.shape[0], -1), linear1)
    dnormed = _norm_backward(grads, name + "attn_norm", dnormed, norm1, config)
    dx += dnormed
    return dx


def _linear_backward(grads, name, dy, cache):
    dx, dweight, dbias = layers.linear_backward(dy, cache)
    grads[name + ".weight"][...] = dweight
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx


def _norm_backward(grads, name, dy, cache, config):
    if config.norm == "rmsnorm":
        dx, grads[name + ".weight"][...] = layers.rmsnorm_backward(dy, cache)
        return dx
    dx, grads[name + ".weight"][...], dbias = layers.layernorm_backward(dy, cache)
    if dbias is not None:
        grads[name + ".bias"][...] = dbias
    return dx
