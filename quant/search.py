"""`python -m quant.search`: a width for each weight matrix, so that few bits lose little.

What a matrix costs at a width is measured: its decoded integers in the float model, all else float,
KL divergence on windows of training text. Costs are added up (independent errors add in KL while
they are small), and the best sums found exactly (`front.py`). What the integer model of 8 bits
costs beyond its weights is a constant. The golden model then says what is true.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from tqdm import tqdm

from configs import cli, devices, files, widths
from configs.cli import UserError
from configs.devices import KBIT, BlockRam
from configs.schema import Config
from model import plot, runs, tasks
from model.checkpoint import Checkpoint
from model.generate import at_least
from model.tasks import Batch
from quant import banks, pipeline, report, sensitivity
from quant.calibrate import Statistics
from quant.fold import Folded
from quant.front import BITS, Array, Point, front, within
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.score import compare, summarise
from quant.search_table import describe, toml

TOKENS = 4096  # of training text, at most
BLOCK_KBIT = 18


@dataclass(frozen=True)
class Budget:
    """Weights of `kbit`, or all memories in the `blocks` of the device."""

    kbit: int | None
    device: BlockRam  # of the table's column of blocks, if `kbit` is the limit


class Search:
    """A trained model, and what its matrices cost at each width."""

    def __init__(self, config: Config, trained: Checkpoint, task: tasks.Task) -> None:
        self.config, self.trained, self.task = config, trained, task
        self.folded: Folded
        self.stats: Statistics
        self.folded, self.stats = pipeline.prepare(config, trained, task)
        self.uniform = {BITS[-1]: self.quantised({"*.weight": BITS[-1]})}
        found = self._tensors(self.uniform[BITS[-1]])
        self.names, self.sizes = [t.name for t in found], [t.codes.size for t in found]

    def quantised(self, bits: dict[str, int]) -> QuantModel:
        """The integers with these widths, whatever the config says of weights."""
        quant = self.config.quant.model_copy(update={"bits": self.overrides(bits)})
        config = self.config.model_copy(update={"quant": quant})
        return pipeline.build(config, self.trained, self.task, self.folded, self.stats)

    def overrides(self, bits: dict[str, int]) -> dict[str, int]:
        """`quant.bits` of the config for what is no weight, and then these."""
        stages = [name for name in widths.names(self.config.model) if not name.endswith(".weight")]
        kept = {
            pattern: width
            for pattern, width in self.config.quant.bits.items()
            if any(fnmatchcase(name, pattern) for name in stages) and pattern not in bits
        }
        return kept | bits

    def _tensors(self, qm: QuantModel) -> list[sensitivity.Tensor]:
        every = sensitivity.tensors(qm, self.folded)
        return [tensor for tensor in every if tensor.name.endswith(".weight")]

    def measure(self, quiet: bool = False) -> None:
        """`costs` [matrices, widths], `base`, and the golden model's KL of each `uniform` width."""
        self.batch = self._sample()
        self.real = sensitivity.logits(self.folded, self.batch)
        self.costs = np.empty((len(self.names), len(BITS)))
        with tqdm(total=self.costs.size, desc="search", disable=quiet or None) as bar:
            for column, bits in enumerate(BITS):
                if bits not in self.uniform:
                    self.uniform[bits] = self.quantised({"*.weight": bits})
                for row, tensor in enumerate(self._tensors(self.uniform[bits])):
                    alone = sensitivity.cost(self.folded, self.batch, self.real, tensors=[tensor])
                    self.costs[row, column] = alone.kl
                    bar.update()
        self.base = self.kl(self.uniform[BITS[-1]]) - float(self.costs[:, -1].sum())

    def _sample(self) -> Batch:
        """Windows of training text, drawn apart from those of calibration."""
        length = self.task.validation.tokens.shape[1]
        work = len(self.names) * len(BITS) * sum(self.sizes)
        vocab = len(self.folded.embed_tok)
        tokens = min(TOKENS, report.LOGITS // vocab, report.WORK // work)
        rng = runs.generator(self.config.train.seed, runs.SEARCH)
        return self.task.calibration(max(1, tokens // length), rng)

    def kl(self, qm: QuantModel) -> float:
        """Of the golden model, on the sample."""
        codes = GoldenModel(qm).forward(self.batch.tokens, **self.batch.inputs)
        parts = compare(self.real, codes * 2.0**-qm.logit_frac, self.batch.targets)
        return summarise(parts).kl

    def front(self, most: int = BITS[-1]) -> list[Point]:
        """The choices of widths up to `most`; each `kl` is that of the whole integer model."""
        each: Array = self.costs + self.base / len(self.names)
        return front(self.sizes, each, most)

    def patterns(self, chosen: tuple[int, ...]) -> dict[str, int]:
        """Widths by name; one pattern where all layers agree."""
        groups: dict[str, dict[str, int]] = {}
        for name, bits in zip(self.names, chosen, strict=True):
            pattern = re.sub(r"layers\.\d+\.", "layers.*.", name)
            groups.setdefault(pattern, {})[name] = bits
        result: dict[str, int] = {}
        for pattern, members in groups.items():
            alike = len(set(members.values())) == 1
            result |= {pattern: next(iter(members.values()))} if alike else members
        return result


def widest(config: Config, vocab_size: int, device: BlockRam) -> int:
    """Bits of the widest matrix with which the machine's memories fit; UserError if none does."""
    if not banks.built(config):
        raise UserError(
            "blocks are those of the machine, which is not yet built for a model of this kind; "
            "give --budget-kbit"
        )
    taken = {bits: banks.blocks(config, vocab_size, bits, device) for bits in BITS}
    fitting = [bits for bits in BITS if taken[bits] <= device.blocks]
    if not fitting:
        raise UserError(
            f"{device.name}: {device.blocks} blocks of {device.block_kbit} kbit are not enough; "
            f"weights of 2 bits, embeddings and KV cache take {taken[BITS[0]]}"
        )
    return fitting[-1]


def run(config: Config, budget: Budget, quiet: bool = False) -> dict[str, Any]:
    """Measure, choose, and write build/<config>/search/ in one step."""
    trained, task = pipeline.load_trained(config)
    vocab, limited = len(task.tokenizer.vocab), budget.kbit is None
    most = widest(config, vocab, budget.device) if limited else BITS[-1]
    search = Search(config, trained, task)
    smallest = BITS[0] * sum(search.sizes)
    bits = BITS[-1] * sum(search.sizes) if budget.kbit is None else budget.kbit * KBIT
    if bits < smallest:
        raise UserError(
            f"--budget-kbit {budget.kbit}: weights of 2 bits everywhere take "
            f"{-(-smallest // KBIT)} kbit, less is not possible"
        )
    search.measure(quiet)
    points = search.front(most)
    chosen = within(points, bits)
    assert chosen is not None
    qm = search.quantised(search.patterns(chosen.widths))

    def row(widths: tuple[int, ...], predicted: float) -> dict[str, Any]:
        total = int(np.dot(search.sizes, widths))
        built = banks.built(config)
        taken = banks.blocks(config, vocab, max(widths), budget.device) if built else None
        return {"widths": list(widths), "bits": total, "blocks": taken, "predicted_kl": predicted}

    uniform = [
        row((one,) * len(search.names), search.base + float(search.costs[:, column].sum()))
        | {"measured_kl": search.kl(search.uniform[one])}
        for column, one in enumerate(BITS)
    ]
    result = {
        "config": config.name,
        "budget": {"kbit": budget.kbit, "device": budget.device.model_dump()},
        "tokens": int((search.batch.targets >= 0).sum()),
        "matrices": dict(zip(search.names, search.sizes, strict=True)),
        "embedding_bits": sum(
            array.size * qm.residual_bits
            for array in (qm.embed_tok, qm.embed_pos)
            if array is not None
        ),
        "costs": {"widths": list(BITS), "base": search.base, "kl": search.costs.tolist()},
        "memories": [asdict(one) for one in banks.memories(config, vocab, max(chosen.widths))]
        if banks.built(config)
        else None,
        "front": [row(point.widths, point.kl) for point in points],
        "uniform": uniform,
        "chosen": row(chosen.widths, chosen.kl) | {"measured_kl": search.kl(qm)},
        "held_out": pipeline.measure(trained, task, qm),
        "quant_bits": search.overrides(search.patterns(chosen.widths)),
    }
    _write(config, result)
    return result


def _write(config: Config, result: dict[str, Any]) -> None:
    def line(rows: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
        return [(row["bits"] / KBIT, row[key]) for row in rows]

    lines = {
        "best widths, predicted": line(result["front"], "predicted_kl"),
        "one width, predicted": line(result["uniform"], "predicted_kl"),
        "one width, measured": line(result["uniform"], "measured_kl"),
        "chosen, measured": line([result["chosen"]], "measured_kl"),
    }
    with files.staged_dir(config.build_dir / "search") as folder:
        plot.pareto(folder / "pareto.png", lines, f"{config.name}: bits and what they cost")
        files.write_json(folder / "search.json", result)
        files.write_text(folder / "bits.toml", toml(result))


def main() -> None:
    parser = cli.parser(
        "quant.search",
        "Choose a width of 2 to 8 bits for each weight matrix, by what it costs at each width; "
        "print the best choices, the one in the budget, and what it loses on held-out text; write "
        "build/<config>/search/ (bits.toml: the lines for the config; pareto.png, search.json).",
    )
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--budget-kbit", type=at_least(int, 1), help="of all weights together")
    group.add_argument("--blocks", type=at_least(int, 1), help="of block RAM, for all memories")
    group.add_argument("--device", help=f"whose blocks to fill: {', '.join(devices.available())}")
    parser.add_argument(
        "--block-kbit", type=at_least(int, 1), help=f"size of a block (default: {BLOCK_KBIT})"
    )
    args = parser.parse_args()
    config = cli.load_config(args)
    if args.device:
        device: BlockRam = devices.load(args.device)
        if args.block_kbit is not None:
            raise UserError(f"--block-kbit: device '{args.device}' has blocks of its own")
    else:
        name, kbit = f"--blocks {args.blocks}", args.block_kbit or BLOCK_KBIT
        device = BlockRam(name=name, block_kbit=kbit, blocks=args.blocks or 1)
    result = run(config, Budget(args.budget_kbit, device))
    print(describe(result))
    print(f"written to {os.path.relpath(config.build_dir / 'search')}")


if __name__ == "__main__":
    cli.run(main)
