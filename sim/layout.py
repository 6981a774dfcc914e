"""Where every golden value of a token must appear in the trace, from the manifest.

The golden stages of a token are laid end to end in one flat array. It begins with the values of
padding lanes: 0, and in the hidden layer the code of an activated 0. A `Plan` gives each expected
record the flat index of each of its lanes, so that a token is compared in one operation and
coverage is a count of indices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quant.qmodel import QuantModel

KINDS = "EVPRNGT"
ZERO, REST, ANY = 0, 1, -1  # flat index: padding, of the hidden layer, what may hold anything
FIRST = 2  # flat index of the first golden element
# lanes without an element that are not 0: of other heads, and of the hidden layer
PADDING = {"attn_out": ANY, "ffn_hidden": REST}
EMBED = 0  # trigger of a norm record: the embedding, or 1 + the number of the residual step


def key(kind: str, major: int, minor: int) -> int:
    """One integer that names a record within its token; sorts in the order of writing per kind."""
    return KINDS.index(kind) << 40 | major << 20 | minor


@dataclass(frozen=True)
class Record:
    """What an expected record holds, for messages."""

    stage: str
    step: int | None
    tile: int


@dataclass(frozen=True)
class Plan:
    """All records that one token must write."""

    keys: np.ndarray  # int64 [n], ascending
    index: np.ndarray  # int64 [n, C]: flat index, ZERO, REST or ANY
    records: list[Record]  # [n]
    stages: list[tuple[str, tuple[int, ...], int]]  # name, shape, offset in the flat array
    sizes: dict[str, int]  # elements of each stage
    size: int  # of the flat array
    rest: int  # its element REST

    def flatten(self, trace: dict[str, np.ndarray]) -> np.ndarray:
        """The golden trace of the token as the flat array [size]."""
        parts = [np.array([0, self.rest], np.int64)]
        for name, shape, _ in self.stages:
            if trace[name].shape != shape:
                raise ValueError(f"golden {name} has shape {trace[name].shape}, expected {shape}")
            parts.append(trace[name].reshape(-1))
        if extra := trace.keys() - {name for name, _, _ in self.stages}:
            raise ValueError(f"no record shows the golden stages {sorted(extra)}")
        return np.concatenate(parts)

    def locate(self, flat: int) -> tuple[str, tuple[int, ...]]:
        """Stage and element of a flat index >= FIRST."""
        name, shape, offset = next(s for s in reversed(self.stages) if s[2] <= flat)
        return name, tuple(int(i) for i in np.unravel_index(flat - offset, shape))


class _Builder:
    """Collects stages and records."""

    def __init__(self, cols: int) -> None:
        self.cols = cols
        self.stages: list[tuple[str, tuple[int, ...], int]] = []
        self.offsets: dict[str, int] = {}
        self.size = FIRST
        self.rows: list[tuple[int, np.ndarray, Record]] = []

    def stage(self, name: str, shape: tuple[int, ...]) -> int:
        """Flat offset of a stage, which is laid out at its first mention."""
        if name not in self.offsets:
            self.offsets[name] = self.size
            self.stages.append((name, shape, self.size))
            self.size += math.prod(shape)
        return self.offsets[name]

    def record(self, kind: str, major: int, minor: int, lanes: np.ndarray, what: Record) -> None:
        row = np.full(self.cols, ANY, np.int64)
        row[: len(lanes)] = lanes
        self.rows.append((key(kind, major, minor), row, what))

    def tiles(
        self, kind: str, major: int, elements: np.ndarray, stage: str, step: int | None
    ) -> None:
        """Records of all tiles of a vector; `elements`: flat index per lane, or of padding."""
        padding = -len(elements) % self.cols
        padded = np.concatenate([elements, np.full(padding, ZERO)])
        for tile, lanes in enumerate(padded.reshape(-1, self.cols)):
            self.record(kind, major, tile, lanes, Record(stage, step, tile))

    def plan(self, rest: int) -> Plan:
        rows = sorted(self.rows, key=lambda row: row[0])
        return Plan(
            np.array([row[0] for row in rows], np.int64),
            np.stack([row[1] for row in rows]),
            [row[2] for row in rows],
            self.stages,
            {name: math.prod(shape) for name, shape, _ in self.stages},
            self.size,
            rest,
        )


class Layout:
    """Plans for every position of one machine."""

    def __init__(self, manifest: dict, qm: QuantModel) -> None:
        model, parameters, trace = manifest["model"], manifest["parameters"], manifest["trace"]
        self.cols, self.slots = parameters["Cols"], parameters["Heads"]
        self.prob_bits, self.noise_bits = parameters["ProbW"], parameters["NoiseW"]
        self.d_model, self.heads = model["d_model"], model["n_heads"]
        self.vocab, self.context = model["vocab_size"], model["context"]
        bump = qm.tables["bump"]
        self.rest = qm.formats["layers.0.ffn_hidden"].zero - (0 if bump is None else int(bump[0]))
        self.steps, self.embed_norm = trace["steps"], trace["embed_norm"]
        self.sizes = {
            step["stage"]: 1 + max(max(s["elements"]) for s in group)
            for step in self.steps
            if (group := [s for s in self.steps if s["stage"] == step["stage"] and s["elements"]])
        }
        # last tile of each step that a norm scalar follows
        self.norm_tile = {
            number: len(step["elements"]) // self.cols - 1
            for number, step in enumerate(self.steps)
            if step["norm"]
        }
        self.plan = lru_cache(maxsize=512)(self._plan)

    def _plan(self, position: int, sampled: bool) -> Plan:
        """What the token at `position` writes."""
        builder = _Builder(self.cols)
        offset = builder.stage("embed", (self.d_model,))
        builder.tiles("E", 0, offset + np.arange(self.d_model), "embed", None)
        self._scalar(builder, "N", EMBED, self.embed_norm, None, 0)
        for number, step in enumerate(self.steps):
            if step["head"] is not None:
                self._scores(builder, number, step, position + 1)
            elif step["elements"] and (step["stage"] != "logits" or sampled):
                self._vector(builder, number, step)
            if step["norm"]:
                self._scalar(builder, "N", 1 + number, step["norm"], None, 0)
        if sampled:
            offset = builder.stage("noise", (self.vocab,))
            builder.tiles("G", 0, offset + np.arange(self.vocab), "noise", None)
            offset = builder.stage("token", ())
            builder.record("T", 0, 0, np.array([offset]), Record("token", None, 0))
        return builder.plan(self.rest)

    def _scalar(
        self, builder: _Builder, kind: str, major: int, stage: str, step: int | None, head: int
    ) -> None:
        """A record of mantissa and exponent."""
        shape = (2,) if kind == "N" else (self.heads, 2)
        lanes = builder.stage(stage, shape) + 2 * head + np.arange(2)
        builder.record(kind, major, 0, lanes, Record(stage, step, 0))

    def _vector(self, builder: _Builder, number: int, step: dict) -> None:
        """A step whose output has a fixed size."""
        elements = np.array(step["elements"], np.int64)
        offset = builder.stage(step["stage"], (self.sizes[step["stage"]],))
        kind = step["stage"].rpartition(".")[2]
        other = PADDING.get(kind, ZERO)
        flat = np.where(elements >= 0, offset + elements, other)
        builder.tiles("V", number, flat, step["stage"], number)

    def _scores(self, builder: _Builder, number: int, step: dict, count: int) -> None:
        """Scores of one head over `count` positions, their probabilities and the reciprocal."""
        stage, head = step["stage"], step["head"]
        prefix = stage.removesuffix("attn_scores")
        place = head * count + np.arange(count)
        padding = np.full(-count % self.cols, ANY)
        flat = np.concatenate([builder.stage(stage, (self.heads, count)) + place, padding])
        builder.tiles("V", number, flat, stage, number)
        probs = builder.stage(f"{prefix}attn_probs", (self.heads, count)) + place
        builder.tiles("P", number, probs, f"{prefix}attn_probs", number)
        self._scalar(builder, "R", number, f"{prefix}attn_recip", number, head)
