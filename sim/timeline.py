"""`python -m sim.timeline`: what every unit did in every cycle of one token, as a picture.

Reads the last simulation of a config (`make sim`) and writes build/<config>/sim/timeline.png and
timeline.svg. Bubbles of the array have the colour of their cause.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs import cli
from sim import core
from sim.gantt import UNITS, Bar, Token, read

STRIP = 300  # most cycles of one row of the picture
LABEL = 7  # cycles that a label of the array needs at least
STEP_COLOURS = ("#3b6ea5", "#6fa8dc")  # by turns
CAUSE_COLOURS = {
    "operand": "#cc4125",
    "gate": "#e69138",
    "noise": "#8e7cc3",
    "fetch": "#666666",
    "host": "#000000",
    "idle": "#f1c232",
}
UNIT_COLOUR = "#7f9f7f"


def draw_array(axes: Any, y: float, bars: list[Bar], begin: int, end: int) -> None:
    """Steps and bubbles of one strip."""
    for bar in bars:
        if bar.begin + bar.cycles <= begin or bar.begin >= end:
            continue
        colour = CAUSE_COLOURS[bar.cause] if bar.cause else STEP_COLOURS[bar.step % 2]
        axes.broken_barh([(bar.begin, bar.cycles)], (y - 0.4, 0.8), facecolors=colour)
        first, after = max(bar.begin, begin), min(bar.begin + bar.cycles, end)
        if not bar.cause and after - first >= LABEL:
            axes.text((first + after) / 2, y, bar.label, ha="center", va="center", color="white")


def draw(token: Token, title: str, paths: list[Path]) -> None:
    """Strips of `STRIP` cycles below one another, a line per unit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    units = [unit for unit in UNITS if token.bars.get(unit)]
    strips = -(-token.cycles // STRIP)
    length = -(-token.cycles // strips)
    height = 0.19 * len(units) + 0.42
    figure = Figure(figsize=(16, height * strips + 0.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(strips, 1, squeeze=False)[:, 0]
    for strip, axes in enumerate(rows):
        begin, end = strip * length, (strip + 1) * length
        for y, unit in enumerate(units):
            bars = token.bars[unit]
            if unit == "array":
                draw_array(axes, y, bars, begin, end)
                continue
            spans = [(bar.begin, bar.cycles) for bar in bars]
            axes.broken_barh(spans, (y - 0.32, 0.64), facecolors=UNIT_COLOUR)
        axes.set(xlim=(begin, end), ylim=(len(units) - 0.5, -0.5), yticks=range(len(units)))
        axes.set_yticklabels(units)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.3)
        for text in axes.texts:
            text.set_fontsize(7)
            text.set_clip_on(True)
    rows[-1].set_xlabel("cycle of the token")
    spent = dict.fromkeys(CAUSE_COLOURS, 0)
    for bar in token.bars["array"]:
        if bar.cause:
            spent[bar.cause] += bar.cycles
    patches = [Patch(color=STEP_COLOURS[0], label="waves of a step")]
    patches += [
        Patch(color=CAUSE_COLOURS[name], label=f"bubble: {name}, {cycles} cycles")
        for name, cycles in spent.items()
        if cycles
    ]
    patches.append(Patch(color=UNIT_COLOUR, label="another unit at work"))
    figure.legend(handles=patches, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11)
    for path in paths:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = cli.parser("sim.timeline", "Units against cycles of one token of the last sim.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument(
        "--position", type=int, metavar="N", help="of the token (default: late one)"
    )
    args = parser.parse_args()
    config = cli.load_config(args)
    machine = core.load(config.build_dir, f"make rtl CONFIG={args.config}")
    out = config.build_dir / "sim"
    token = read(out / "run", machine.manifest, args.position)
    issued = sum(bar.cycles for bar in token.bars["array"] if not bar.cause)
    kind = "sampled" if token.sampled else "prompt"
    floor = machine.manifest["macs"][kind][token.position] / machine.multipliers
    shape = machine.manifest["array"]
    title = (
        f"{config.name} on {shape['rows']} x {shape['cols']}, {kind} token at position "
        f"{token.position}: {token.cycles} cycles, {issued} of them with a wave; useful "
        f"{100 * floor / token.cycles:.1f} %"
    )
    paths = [out / "timeline.png", out / "timeline.svg"]
    draw(token, title, paths)
    print(title)
    print(f"written     {paths[0]}, {paths[1].name}")


if __name__ == "__main__":
    cli.run(main)
