"""The golden model over whole sequences at once: the same integers as token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from configs.cli import UserError
from quant import exact, ops

if TYPE_CHECKING:
    from quant.golden import Block, GoldenModel, Trace

CHUNK_TOKENS = 1024  # sequences processed together, so that temporaries stay in the CPU cache
FAR_BELOW = -(1 << 40)  # score of a masked position: its probability is 0 at any maximum


def forward(gm: GoldenModel, tokens: np.ndarray, trace: Trace | None = None) -> np.ndarray:
    """int64 logits [B, T, V] of tokens [B, T], causal, positions from 0.

    A dict given as `trace` receives every stage with leading axes [B, T] (attn_scores and
    attn_probs [B, T, H, T], masked entries meaningless and 0).
    """
    tokens = ops.ints(tokens)
    if tokens.shape[1] > gm.qm.config["context"]:
        raise UserError(f"{tokens.shape[1]} tokens exceed the context {gm.qm.config['context']}")
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < gm.qm.vocab_size:
        raise UserError(f"a token is outside the vocabulary of {gm.qm.vocab_size}")
    size = max(1, CHUNK_TOKENS // tokens.shape[1])
    parts: list[Trace] = []
    for start in range(0, len(tokens), size):
        part: Trace = {}
        logits = _chunk(gm, tokens[start : start + size], part if trace is not None else None)
        parts.append({**part, "logits": logits})
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if trace is not None:
        trace |= whole
    return whole["logits"]


def _chunk(gm: GoldenModel, tokens: np.ndarray, trace: Trace | None) -> np.ndarray:
    positions = None if gm.embed_pos is None else gm.embed_pos[: tokens.shape[1]]
    x = ops.embed(gm.embed_tok[tokens], positions, gm.qm.residual_bits)  # [B, T, D]
    record(trace, "embed", x)
    for index, block in enumerate(gm.blocks):
        x = _block(gm, block, x, trace, f"layers.{index}.")
    mantissa, k = _norm(gm, x, gm.qm.eps_int, trace, "final_norm")
    return gm.finish_head(gm.head(x), mantissa, k)  # [B, T, V]


def record(trace: Trace | None, name: str, value: np.ndarray) -> None:
    """Keep a stage when a trace is wanted."""
    if trace is not None:
        trace[name] = value


def _norm(
    gm: GoldenModel, x: np.ndarray, eps_int: int, trace: Trace | None, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scalars (r, k), each [B, T, 1], of residuals [B, T, D]."""
    mantissa, k = ops.norm_scalar((x * x).sum(axis=-1) + eps_int, gm.tables["rsqrt"])
    record(trace, name, np.stack([mantissa, k], axis=-1))
    return mantissa[..., None], k[..., None]


def _block(
    gm: GoldenModel, block: Block, x: np.ndarray, trace: Trace | None, prefix: str
) -> np.ndarray:
    """One layer on residuals [B, T, D]."""
    norm = _norm(gm, x, gm.qm.eps_int, trace, prefix + "attn_norm")
    qkv = block.finish_qkv(block.qkv(x), *norm)  # [B, T, D + 2 G d_head]
    out = _attention(gm, block, qkv, trace, prefix)
    mid = gm.add_residual(x, block.finish_o(block.o(out)))
    record(trace, prefix + "attn_residual", mid)
    norm = _norm(gm, mid, gm.qm.eps_int, trace, prefix + "ffn_norm")
    hidden = gm.hidden(block, block.finish_up(block.up(mid), *norm))  # each [B, T, F]
    for name, value in hidden.items():
        record(trace, prefix + name, value)
    end = gm.add_residual(mid, block.finish_down(block.down(hidden["ffn_hidden"])))
    record(trace, prefix + "ffn_residual", end)
    return end


def _attention(
    gm: GoldenModel, block: Block, qkv: np.ndarray, trace: Trace | None, prefix: str
) -> np.ndarray:
    """attn_out [B, T, D] of fused q, k, v [B, T, D + 2 G d_head]."""
    b, t, _ = qkv.shape
    q, k, v = (part.swapaxes(1, 2) for part in gm.split_heads(qkv))  # [B, H or G, T, d_head]
    q, k = gm.rotate(block, q, k, slice(0, t))
    all_k, all_v = (part.repeat(gm.n_heads // gm.kv_heads, axis=1) for part in (k, v))
    bound = max(t, gm.d_head) * ops.limit(16) ** 2
    scores = block.finish_scores(exact.matmul(q, all_k.swapaxes(-1, -2), bound))  # [B, H, T, T]
    visible = np.tril(np.ones((t, t), bool))
    probs = gm.probs(np.where(visible, scores, FAR_BELOW))  # [B, H, T, T]
    mantissa, exponent = ops.recip_scalar(probs.sum(axis=-1), gm.tables["recip"])  # [B, H, T]
    mixed = exact.matmul(probs, all_v, bound)  # [B, H, T, d_head]
    out = block.finish_out(mixed, mantissa[..., None], exponent[..., None])
    out = out.swapaxes(1, 2).reshape(b, t, -1)
    if trace is not None:
        for name, value in (("q", q), ("k", k), ("v", v)):
            record(trace, prefix + name, value.swapaxes(1, 2).reshape(b, t, -1))
        record(trace, prefix + "attn_scores", np.where(visible, scores, 0).swapaxes(1, 2))
        record(trace, prefix + "attn_probs", probs.swapaxes(1, 2))
        recip = np.stack([mantissa, exponent], axis=-1)  # [B, H, T, 2]
        record(trace, prefix + "attn_recip", recip.swapaxes(1, 2))
        record(trace, prefix + "attn_out", out)
    return out
