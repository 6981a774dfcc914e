"""The golden model over whole sequences at once: the same integers as token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from configs.cli import UserError
from quant import attention, encoder, exact, ops
from quant.attention import check_mask
from quant.qmodel import Attention

if TYPE_CHECKING:
    from quant.block import Block
    from quant.golden import GoldenModel, Trace

CHUNK_TOKENS = 1024  # sequences processed together: more leave the CPU cache, fewer are all calls
QUERIES = 32  # of a block in the attention
FUTURE = np.tril(np.full((QUERIES, QUERIES), -(2.0**21), exact.SINGLE), -1)  # [key, query]
# added to the score of a key that comes later: its probability is 0, whatever the maximum


def forward(
    gm: GoldenModel,
    tokens: np.ndarray,
    trace: Trace | None = None,
    *,
    mask: np.ndarray | None = None,
    source: np.ndarray | None = None,
    source_mask: np.ndarray | None = None,
    kind: type = np.int64,
) -> np.ndarray:
    """int64 logits [B, T, V] of tokens [B, T], positions from 0; causal unless by an encoder.

    mask: bool [B, T], false at padding, which stands on the right; source, source_mask: [B, S],
    what the encoder of an encoder-decoder reads. A dict given as `trace` receives every stage with
    leading axes [B, T] (attn_scores and attn_probs [B, T, H, T], masked entries meaningless and 0),
    those of the encoder, and cross_k and cross_v, with [B, S]. `kind`: the type of these arrays;
    float32 holds all stages and is faster; attn_scores and the scalars, which no training asks for,
    stay out.
    """
    tokens = checked(gm, tokens)
    mask = check_mask(mask, tokens.shape)
    if (source is None) == (gm.qm.kind == "encoder-decoder"):
        what = "needs a source" if source is None else "has no source"
        raise UserError(f"a model of kind '{gm.qm.kind}' {what}")
    if source is not None:
        source = checked(gm, source)
        source_mask = check_mask(source_mask, source.shape)
    size, parts = max(1, CHUNK_TOKENS // tokens.shape[1]), []
    kept: Trace | None = None if trace is None else {}
    for start in range(0, len(tokens), size):
        rows = slice(start, start + size)
        record = Recorder(kept, tokens.shape, rows, kind=kind)
        memory: list[attention.Memory] = []
        if gm.qm.kind == "encoder":
            stages = encoder.logits(gm.qm, tokens[rows], mask[rows])
            record.stages(stages)
            parts.append(stages["logits"])
            continue
        if source is not None and source_mask is not None:
            memory, stages = remember(gm, source[rows], source_mask[rows])
            record.stages(stages)
        parts.append(_chunk(gm, tokens[rows], record, memory))
    logits = np.concatenate(parts)
    if trace is not None and kept is not None:
        trace |= kept | {"logits": logits}
    return logits


def checked(gm: GoldenModel, tokens: np.ndarray) -> np.ndarray:
    """Tokens [B, T] as int64; UserError unless they fit context and vocabulary."""
    tokens = ops.ints(tokens)
    if not 1 <= tokens.shape[1] <= gm.qm.config["context"]:
        context = gm.qm.config["context"]
        raise UserError(f"{tokens.shape[1]} tokens: give 1 to {context} (the context)")
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < gm.qm.vocab_size:
        raise UserError(f"a token is outside the vocabulary of {gm.qm.vocab_size}")
    return tokens


def remember(
    gm: GoldenModel, source: np.ndarray, mask: np.ndarray | None
) -> tuple[list[attention.Memory], Trace]:
    """What the decoder's layers see of source tokens [B, S], and all stages; mask: bool [B, S]."""
    mask = check_mask(mask, source.shape)
    x, stages = encoder.run(gm.qm, source, mask)
    memory, more = attention.remember(gm.qm, x, mask)
    return memory, stages | more


def _chunk(
    gm: GoldenModel, tokens: np.ndarray, record: Recorder, memory: list[attention.Memory]
) -> np.ndarray:
    x = gm.embed_tok[tokens]  # [B, T, D]
    if gm.embed_pos is not None:
        x = gm.add_residual(x, gm.embed_pos[: tokens.shape[1]])
    x = x.astype(exact.SINGLE).reshape(tokens.size, -1)  # [N, D], as all that follows
    record("embed", x)
    for index, block in enumerate(gm.blocks):
        seen = memory[index] if memory else None
        x = _block(gm, block, x, record.within(f"layers.{index}."), seen)
    [logits] = gm.head.rows(x, _norm(gm, x, record, "final_norm"))
    return exact.whole(logits).reshape(*tokens.shape, -1)


class Recorder:
    """Puts stages of a chunk, sequences `rows` of [B, T], into a trace, if there is one.

    A stage is made for all B at once, so that nothing is copied again; where the chunk is all B, it
    is kept as it comes, which must not change then.
    """

    def __init__(
        self,
        trace: Trace | None,
        shape: tuple[int, int],
        rows: slice,
        prefix: str = "",
        kind: type = np.int64,
    ) -> None:
        self.trace, self.whole, self.rows, self.prefix = trace, shape, rows, prefix
        self.kind = kind
        self.shape = len(range(*rows.indices(shape[0]))), shape[1]  # of the chunk

    def within(self, prefix: str) -> Recorder:
        """A recorder of stages whose names begin with `prefix`."""
        return Recorder(self.trace, self.whole, self.rows, prefix, self.kind)

    def part(self, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """Where the chunk's [b, ...] of a stage belong, 0 at first; shape: the [...]."""
        if self.trace is None:
            return None
        if self.prefix + name not in self.trace:
            self.trace[self.prefix + name] = np.zeros((self.whole[0], *shape), self.kind)
        return self.trace[self.prefix + name][self.rows]

    def __call__(self, name: str, value: np.ndarray) -> None:
        """Keep integers, or whole floats, of positions [N, ...]."""
        if self.trace is not None and self.shape == self.whole and value.dtype == self.kind:
            self.trace[self.prefix + name] = value.reshape(*self.shape, *value.shape[1:])
            return
        place = self.part(name, (self.shape[1], *value.shape[1:]))
        if place is not None:
            place[...] = value.reshape(place.shape)

    def scalar(self, name: str, value: exact.Scalar) -> None:
        """Keep scalars of positions as (r, k)."""
        if self.trace is not None and self.kind is np.int64:
            self(name, value.pairs())

    def stages(self, stages: Trace) -> None:
        """Keep stages [b, ...] under their own names."""
        for name, value in stages.items():
            place = self.part(name, value.shape[1:])
            if place is not None:
                place[...] = value

    def attended(self, name: str, part: np.ndarray, lo: int) -> None:
        """Keep whole floats [b, G, R, keys, queries] of the queries from `lo` on as [b, T, H, T],
        0 where a key is hidden."""
        if name == "attn_scores" and self.kind is not np.int64:
            return
        (b, t), (keys, queries) = self.shape, part.shape[-2:]
        heads = part.shape[1] * part.shape[2]
        if self.trace is not None and self.prefix + name not in self.trace:
            whole = np.zeros((self.whole[0], heads, t, t), self.kind)  # as readers want it
            self.trace[self.prefix + name] = whole.swapaxes(1, 2)
        place = self.part(name, (t, heads, t))
        if place is not None:
            block = place[:, lo : lo + queries, :, :keys]
            block[...] = part.reshape(b, heads, keys, queries).transpose(0, 3, 1, 2)
            if name == "attn_scores":  # probabilities are 0 there already
                block[..., lo:] *= np.tri(queries, dtype=self.kind)[:, None]


def _norm(gm: GoldenModel, x: np.ndarray, record: Recorder, name: str) -> exact.Scalar:
    """Scalars [N] of residuals [N, D]."""
    double = x.astype(exact.DOUBLE)
    total = np.einsum("nd,nd->n", double, double) + gm.qm.eps_int
    norm = exact.scalar(total, gm.tables["rsqrt"], 2)
    record.scalar(name, norm)
    return norm


def _block(
    gm: GoldenModel,
    block: Block,
    x: np.ndarray,
    record: Recorder,
    memory: attention.Memory | None,
) -> np.ndarray:
    """One layer on residuals [N, D]."""
    qkv = block.qkv.rows(x, _norm(gm, x, record, "attn_norm"))
    out = _attention(gm, block, qkv, record)  # [N, D]
    mid = _add(gm, x, block.o.rows(out))
    record("attn_residual", mid)
    if block.layer.cross is not None and memory is not None:
        mid = _cross(gm, block.layer.cross, mid, record, memory)
    hidden = block.hidden(block.up.rows(mid, _norm(gm, mid, record, "ffn_norm")))  # each [N, F]
    for name, value in hidden.items():
        record(name, value)
    end = _add(gm, mid, block.down.rows(hidden["ffn_hidden"]))
    record("ffn_residual", end)
    return end


def _cross(
    gm: GoldenModel, cross: Attention, x: np.ndarray, record: Recorder, memory: attention.Memory
) -> np.ndarray:
    """Cross-attention: residuals float32 [N, D] in and out."""
    rows = exact.whole(x).reshape(*record.shape, -1)
    stages = attention.cross(gm.qm, record.prefix, cross, rows, memory)
    record.within("").stages(stages)
    return exact.real(stages[record.prefix + "cross_residual"], exact.SINGLE).reshape(x.shape)


def _add(gm: GoldenModel, x: np.ndarray, z: list[np.ndarray]) -> np.ndarray:
    """`ops.residual_add` of float32 [N, D] and the one output of a step."""
    total = (x + z[0]).astype(exact.SINGLE, copy=False)
    return np.clip(total, -gm.residual_max, gm.residual_max, out=total)


def highest(score: np.ndarray) -> np.ndarray:
    """The maximum over the keys, [..., 1, queries] of [..., keys, queries]. Eighths of them are
    long rows and compared first: that is three times as fast."""
    *lead, keys, queries = score.shape
    if keys % 8 == 0:
        score = score.reshape(*lead, 8, -1).max(axis=-2).reshape(*lead, -1, queries)
    return score.max(axis=-2, keepdims=True)


def _attention(
    gm: GoldenModel, block: Block, qkv: list[np.ndarray], record: Recorder
) -> np.ndarray:
    """attn_out [N, D] of q [N, D], k and v [N, G d_head], causal, in blocks of queries.

    A block meets only the keys up to its own end. Scores stand as [B, G, R, keys, queries], R heads
    of queries to each of keys, so that maximum and sum over the keys run along whole rows.
    """
    (b, t), groups = record.shape, gm.kv_heads
    q, k, v = (part.reshape(b, t, groups, -1, gm.d_head) for part in qkv)  # [B, T, G, R or 1, d]
    q, k = gm.rotate(block, q, k, (slice(0, t), None, None))
    for name, value in (("q", q), ("k", k), ("v", v)):
        record(name, value.reshape(b * t, -1))
    kind = exact.carrier(block.scores.bound)
    prescaled = q.astype(kind, copy=False) * block.scores.prescale.astype(kind)
    queries = prescaled.transpose(0, 2, 3, 4, 1)  # [B, G, R, d, T]
    keys = k.astype(kind, copy=False).transpose(0, 2, 3, 1, 4)  # [B, G, 1, T, d]
    singles: np.ndarray = v.astype(exact.SINGLE) * block.out.prescale.astype(exact.SINGLE)
    singles = singles.transpose(0, 2, 3, 1, 4)  # as the keys
    values = singles.astype(exact.DOUBLE)
    sums = np.empty((b, t, gm.n_heads))
    mixed = np.empty((b, t, gm.n_heads, gm.d_head))
    for lo in range(0, t, QUERIES):
        hi = min(lo + QUERIES, t)
        score = block.scores(keys[..., :hi, :] @ queries[..., lo:hi])
        record.attended("attn_scores", score, lo)
        score[..., lo:hi, :] += FUTURE[: hi - lo, : hi - lo]
        np.subtract(highest(score), score, out=score)
        p = gm.exp2_rows.take(exact.index(score), mode="clip")
        record.attended("attn_probs", p, lo)
        total = (np.ones((1, hi), p.dtype) @ p)[..., 0, :]  # [B, G, R, queries]; faster than a sum
        sums[:, lo:hi] = total.reshape(b, gm.n_heads, -1).swapaxes(1, 2)
        if block.mix_bound(int(total.max())) < exact.SINGLE_MAX:
            mix = p.swapaxes(-1, -2) @ singles[..., :hi, :]
        else:
            mix = p.swapaxes(-1, -2).astype(exact.DOUBLE) @ values[..., :hi, :]
        mixed[:, lo:hi] = mix.reshape(b, gm.n_heads, -1, gm.d_head).swapaxes(1, 2)
    recip = exact.scalar(sums.reshape(b * t, -1), gm.tables["recip"], 1)  # [N, H]
    out = block.out(mixed.reshape(b * t, gm.n_heads, -1), recip.factor[..., None], recip.least)
    out = out.reshape(b * t, -1)
    record.scalar("attn_recip", recip)
    record("attn_out", out)
    return out
