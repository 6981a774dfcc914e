"""Parameters of the transformer: names, shapes, the random start.

`Params` is a dict of named views into one flat vector (so that the optimiser,
clipping and checkpoints see a single array). With D = d_model, F = d_ff, V = vocabulary, T =
context; a matrix is stored (in, out), so y = x W + b. Optional ones are marked with the option.

    embed.weight                 (V, D)
    positions.weight             (T, D)    positions = "learned"
    layers.{l}.attn_norm.weight  (D,)      and .bias, layernorm with bias
    layers.{l}.qkv.weight        (D, D+2K) columns q | k | v; each is head-major; .bias (D+2K,);
                                           K = D, or d_head * n_kv_heads
    layers.{l}.attn_proj.weight  (D, D)    and .bias
    layers.{l}.ffn_norm.weight   (D,)      and .bias, as attn_norm
    layers.{l}.ffn_up.weight     (D, F)    and .bias; swiglu: (D, 2F), columns gate | up
    layers.{l}.ffn_down.weight   (F, D)    and .bias
    final_norm.weight            (D,)      and .bias, as attn_norm; norm_position = "pre"
    head.weight                  (V, D)    untied head; tied: embed.weight serves. Never a bias.

An encoder-decoder has the layers of its encoder as encoder.layers.{l}.* and encoder.final_norm, of
the same shapes; the tables are shared. The decoder's layers have between attention and FFN:

    layers.{l}.cross_norm.weight (D,)      and .bias, as attn_norm
    layers.{l}.cross_q.weight    (D, D)    and .bias
    layers.{l}.cross_kv.weight   (D, 2K)   columns k | v, read from the encoder; .bias (2K,)
    layers.{l}.cross_proj.weight (D, D)    and .bias
"""

from __future__ import annotations

import math

import numpy as np

from configs.schema import ModelConfig

Array = np.ndarray
EMBED_STD = 0.05  # tables and head: small, so that the first logits are nearly uniform


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


def parameter_shapes(config: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter, matrices first."""
    d, f, kv = config.d_model, config.d_ff, config.kv_heads * config.d_head
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

    def stack(prefix: str, cross: bool) -> None:
        for layer in range(config.n_layers):
            name = f"{prefix}layers.{layer}."
            norm(name + "attn_norm")
            linear(name + "qkv", d, d + 2 * kv)
            linear(name + "attn_proj", d, d)
            if cross:
                norm(name + "cross_norm")
                linear(name + "cross_q", d, d)
                linear(name + "cross_kv", d, 2 * kv)
                linear(name + "cross_proj", d, d)
            norm(name + "ffn_norm")
            linear(name + "ffn_up", d, 2 * f if config.activation == "swiglu" else f)
            linear(name + "ffn_down", f, d)
        if config.norm_position == "pre":
            norm(prefix + "final_norm")

    both = config.kind == "encoder-decoder"
    if both:
        stack("encoder.", cross=False)
    stack("", cross=both)
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
            if name.startswith(("layers.", "encoder.")):
                std = 1 / math.sqrt(array.shape[0])
            if name.endswith(("_proj.weight", "ffn_down.weight")):
                std /= math.sqrt(2 * config.n_layers)
            array[...] = rng.normal(0.0, std, array.shape)
    return params


def split_qkv(
    params: dict[str, Array], layer: int, stack: str = ""
) -> dict[str, tuple[Array, Array | None]]:
    """Views {"q": (weight (D, D), bias (D,) or None), "k": (weight (D, K), ...), "v": ...}.

    stack: "" or "encoder.".
    """
    weight = params[f"{stack}layers.{layer}.qkv.weight"]
    d, width = weight.shape
    cuts = [d, (d + width) // 2]
    weights = np.split(weight, cuts, axis=1)
    bias = params.get(f"{stack}layers.{layer}.qkv.bias")
    biases = np.split(bias, cuts) if bias is not None else [None] * 3
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
