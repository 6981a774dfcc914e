"""The transformer, forward and backward, of three kinds. `params.py` names the parameters.

    decoder           tokens -> the next token at each position; each sees those before it
    encoder           tokens -> an answer, read at one position; each position sees all
    encoder-decoder   source -> tokens as in a decoder, whose layers look at an encoder's output too

`block.py` is a layer; here are the tables, the stacks of layers, the head and the loss. Sinusoidal
positions are a fixed table (`position_table`), rotary ones turn q and k of self-attention.
N = B*T positions, D = d_model, V = vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.schema import ModelConfig
from model import layers
from model.attention import padding
from model.block import (
    Cache,
    Capture,
    Stream,
    layer_backward,
    layer_forward,
    norm_backward,
    norm_forward,
)
from model.params import Params, empty, head_weight, init, position_table, split_qkv

__all__ = [
    "Params",
    "backward",
    "classify",
    "empty",
    "encode",
    "forward",
    "forward_cached",
    "head_weight",
    "init",
    "loss_and_gradients",
    "position_table",
    "split_qkv",
]

Array = np.ndarray


# -- forward -----------------------------------------------------------------------------------
def forward(
    params: dict[str, Array],
    tokens: Array,
    config: ModelConfig,
    capture: Capture | None = None,
    **inputs: Any,
) -> Array:
    """Logits (B, T, V) of tokens (B, T), T <= context; `inputs` as in `forward_cached`.

    `capture` receives every named stage: (B, T, ...) arrays; q, k (after rotation), v and attn_out
    as (B, T, heads * d_head), head-major; attn_scores (-inf where masked) and attn_probs as
    (B, H, T, T); the same of the encoder as `encoder.*`, and cross_scores, ... (B, H, T, S).
    Beyond the named stages, `layers.{l}.ffn_up` is the hidden layer before its activation.
    """
    return forward_cached(params, tokens, config, capture, **inputs)[0]


def forward_cached(
    params: dict[str, Array],
    tokens: Array,
    config: ModelConfig,
    capture: Capture | None = None,
    *,
    mask: Array | None = None,
    source: Array | None = None,
    source_mask: Array | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Cache]:
    """As `forward`, and the cache that `backward` needs.

    mask: bool (B, T), false at padding, which no position looks at; source, source_mask: (B, S),
    the encoder's tokens in an encoder-decoder; rng: of dropout, which is off without it.
    """
    if (source is None) == (config.kind == "encoder-decoder"):
        wanted = "needs the argument source" if source is None else "has no source"
        raise ValueError(f"a model of kind '{config.kind}' {wanted}")
    memory, encoder, hidden = None, None, None
    rng = rng if config.dropout else None
    if source is not None:
        memory, encoder = _stack_forward(
            params, "encoder.", source, config, capture, source_mask, rng
        )
        hidden = padding(source_mask, source.shape, False, memory.dtype)
        if len(source) != len(tokens):
            raise ValueError(f"{len(source)} sources for {len(tokens)} rows of tokens")
    x, decoder = _stack_forward(params, "", tokens, config, capture, mask, rng, memory, hidden)
    logits = x @ head_weight(params).T  # (N, V)
    decoder[0].note("logits", logits)
    return logits.reshape(*tokens.shape, -1), (encoder, decoder, [x])


def encode(
    params: dict[str, Array], source: Array, config: ModelConfig, mask: Array | None = None
) -> Array:
    """The encoder's output (B, S, D) of an encoder-decoder; mask: bool (B, S)."""
    rows, _ = _stack_forward(params, "encoder.", source, config, None, mask, None)
    return rows.reshape(*source.shape, -1)


def classify(
    params: dict[str, Array], tokens: Array, config: ModelConfig, mask: Array | None = None
) -> Array:
    """Logits (B, V) of the answers of an encoder, read at each row's last real position."""
    logits = forward(params, tokens, config, mask=mask)
    return logits[np.arange(len(tokens)), answer_positions(tokens, mask)]


def answer_positions(tokens: Array, mask: Array | None = None) -> Array:
    """Where an encoder's answer stands: the last position (B,) that is not padding."""
    last = tokens.shape[1] - 1
    return np.full(len(tokens), last) if mask is None else last - mask[:, ::-1].argmax(axis=1)


def answer_targets(answers: Array, tokens: Array, mask: Array | None = None) -> Array:
    """Targets (B, T) for `loss_and_gradients` of an encoder: answers (B,), else -1."""
    targets = np.full(tokens.shape, -1, np.int32)
    targets[np.arange(len(tokens)), answer_positions(tokens, mask)] = answers
    return targets


def _stack_forward(
    params: dict[str, Array],
    prefix: str,
    tokens: Array,
    config: ModelConfig,
    capture: Capture | None,
    mask: Array | None,
    rng: np.random.Generator | None,
    memory: Array | None = None,
    memory_hidden: Array | None = None,
) -> tuple[Array, Cache]:
    """Embedding, layers and final norm of one stack: rows (N, D). prefix: "" or "encoder."."""
    _check_tokens(tokens, config.context, len(params["embed.weight"]))
    length = tokens.shape[1]
    x = params["embed.weight"][tokens.reshape(-1)]  # (N, D)
    table, turn, drop = position_table(params, config), None, None
    if table is not None:
        x.reshape(*tokens.shape, -1)[...] += table[:length]
    else:
        turn = layers.rotary_table(length, config.d_head, x.dtype)  # (T, d_head/2)
    causal = config.kind != "encoder" and not prefix
    hidden = padding(mask, tokens.shape, causal, x.dtype)
    stream = Stream(config, tokens.shape, causal, hidden, turn, rng, capture, memory, memory_hidden)
    if rng is not None:
        x, drop = layers.dropout_forward(x, config.dropout, rng)
    stream.note(prefix + "embed", x)
    caches: list[Any] = []
    for layer in range(config.n_layers):
        x, layer_caches = layer_forward(params, f"{prefix}layers.{layer}.", x, stream)
        caches.append(layer_caches)
    if config.norm_position == "pre":
        x, norm = norm_forward(params, prefix + "final_norm", x, config)
        caches.append(norm)
        stream.note(prefix + "final_norm", x)
    return x, (stream, tokens, drop, caches)


def _check_tokens(tokens: Array, context: int, vocab_size: int) -> None:
    """ValueError unless tokens are ids of the vocabulary, (B, T) with T <= context."""
    if tokens.ndim != 2 or not tokens.size or tokens.dtype.kind not in "iu":
        raise ValueError(f"tokens: {tokens.dtype} {tokens.shape}, expected ints (batch, length)")
    if tokens.shape[1] > context:
        raise ValueError(f"{tokens.shape[1]} tokens do not fit into the context of {context}")
    low, high = tokens.min(), tokens.max()
    if low < 0 or high >= vocab_size:
        wrong = low if low < 0 else high
        raise ValueError(f"token {wrong} is not in the vocabulary: expected 0 to {vocab_size - 1}")


# -- backward ----------------------------------------------------------------------------------
def loss_and_gradients(
    params: Params,
    tokens: Array,
    targets: Array,
    config: ModelConfig,
    grads: Params,
    *,
    rng: np.random.Generator | None = None,
    **inputs: Any,
) -> float:
    """Mean cross-entropy of one batch in nats; its gradients overwrite `grads`.

    tokens, targets: (B, T) ints; a target of -1 is not looked at. `inputs` as in `forward_cached`;
    rng: of dropout, wanted when the config has any.
    """
    if config.dropout and rng is None:
        raise ValueError(f"dropout {config.dropout} needs a random generator: the argument rng")
    if targets.shape != tokens.shape:
        raise ValueError(
            f"targets of shape {targets.shape}: expected that of tokens, {tokens.shape}"
        )
    logits, cache = forward_cached(params, tokens, config, rng=rng, **inputs)
    loss, loss_cache = layers.cross_entropy_forward(
        logits.reshape(-1, logits.shape[2]), targets.reshape(-1), config.label_smoothing
    )
    del logits
    backward(params, layers.cross_entropy_backward(loss_cache), cache, config, grads)
    return loss


def backward(
    params: Params, dlogits: Array, cache: Cache, config: ModelConfig, grads: Params
) -> None:
    """Gradients of all parameters from dlogits (N, V) and the cache of `forward_cached`, which
    serves once: it is emptied on the way, so that memory is free for what comes after."""
    encoder, decoder, head = cache
    dhead = dlogits.T @ head.pop()  # (V, D)
    dx = dlogits @ head_weight(params)  # (N, D)
    del dlogits
    dmemory = None if encoder is None else np.zeros_like(decoder[0].memory)
    _stack_backward(grads, "", dx, decoder, config, dmemory)
    if dmemory is not None:
        _stack_backward(grads, "encoder.", dmemory, encoder, config)
    if config.tied_head:
        grads["embed.weight"] += dhead
    else:
        grads["head.weight"][...] = dhead


def _stack_backward(
    grads: Params,
    prefix: str,
    dx: Array,
    cache: Cache,
    config: ModelConfig,
    dmemory: Array | None = None,
) -> None:
    """dx: (N, D), gradient of the stack's output. The decoder ("") writes the gradients of the
    tables, the encoder, after it, adds to them."""
    stream, tokens, drop, caches = cache
    if config.norm_position == "pre":
        dx = norm_backward(grads, prefix + "final_norm", dx, caches.pop(), config)
    for layer in reversed(range(config.n_layers)):
        dx = layer_backward(grads, f"{prefix}layers.{layer}.", dx, caches.pop(), stream, dmemory)
    if drop is not None:
        dx = layers.dropout_backward(dx, drop)
    tables = {
        "embed": layers.embedding_backward(dx, tokens.reshape(-1), len(grads["embed.weight"]))
    }
    if config.positions == "learned":
        rows = np.zeros_like(grads["positions.weight"])
        rows[: tokens.shape[1]] = dx.reshape(*tokens.shape, -1).sum(axis=0)
        tables["positions"] = rows
    for name, table in tables.items():
        into = grads[name + ".weight"]
        np.copyto(into, table) if not prefix else np.add(into, table, out=into)
