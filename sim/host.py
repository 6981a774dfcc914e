"""`python -m sim.host`: ask a board, real or simulated, over a serial line; tokens as they come."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from configs import cli
from configs.cli import UserError
from configs.protocol import PROBLEMS, Kind
from configs.schema import Config
from quant import qmodel
from quant.qmodel import QuantModel
from sim.host_link import Board, Result
from sim.link import Message
from sim.requests import FULL, LIMIT, STOP, status_text

BAUD = 115200
PATIENCE = 1.0
TOKENS = 64
SIMULATED = "board/run/port"  # in the config's build folder, see sim.board
MODEL_DIGITS = 8  # of the artefact's digest, by which a board names its model


def arguments() -> argparse.Namespace:
    parser = cli.parser("sim.host", "Ask a board over a serial line, or a simulated one.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument(
        "--port", help="serial port, such as /dev/ttyUSB0 (default: the simulated board's)"
    )
    parser.add_argument("--baud", type=int, default=BAUD, help="bit rate of the board's line")
    parser.add_argument("--prompt", help="text to continue (default: the config's)")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="most tokens to write")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0: always the likeliest token"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the board's random numbers")
    parser.add_argument("--stream", type=int, default=0, help="which of the board's sequences")
    parser.add_argument("--counters", action="store_true", help="show the board's counters, too")
    parser.add_argument(
        "--reset", action="store_true", help="end whatever the board is doing first"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds of silence that are too many"
    )
    return parser.parse_args()


def manifest_of(config: Config) -> dict:
    """The manifest of the rendered machine."""
    path = config.build_dir / "rtl" / "manifest.json"
    if not path.is_file():
        raise UserError(f"no Verilog in {path.parent}: run 'make rtl CONFIG={config.name}'")
    return json.loads(path.read_text(encoding="utf-8"))


def settings_of(qm: QuantModel, args: argparse.Namespace, prompt: list[int]) -> dict[str, int]:
    """Fields of the request; UserError for what cannot be asked."""
    context = int(qm.config["context"])
    if not prompt:
        raise UserError("--prompt: give at least one character or word of the model's vocabulary")
    if len(prompt) > context:
        raise UserError(
            f"--prompt has {len(prompt)} tokens; the context holds {context}: shorten it"
        )
    if not 1 <= args.tokens <= 0xFFFF:
        raise UserError(f"--tokens {args.tokens}: choose 1 to 65535")
    if not 0 <= args.seed < cli.SEEDS:
        raise UserError(f"--seed {args.seed}: choose one from 0 to {cli.SEEDS - 1}")
    return {
        "max_tokens": args.tokens,
        "temperature": qm.temperature_register(args.temperature),
        "seed": args.seed,
        "stop_token": qm.stop_token or 0,
        "stop_enable": int(qm.stop_token is not None),
    }


def show(qm: QuantModel, tokens: list[int], shown: str) -> str:
    """Print what is new of the text of `tokens`; all of it."""
    text = qmodel.decode(qm, tokens)
    if not text.startswith(shown) or text.endswith("\N{REPLACEMENT CHARACTER}"):
        return shown  # a character of several tokens is not complete
    print(text[len(shown) :], end="", flush=True)
    return text


def counters_text(state: Message, names: list[str]) -> list[str]:
    """What the board counted, one line each."""
    lines = [f"frames      {state.fields['frames']} good ones reached the board"]
    for problem, about in PROBLEMS.items():
        if count := state.fields[problem.name.lower()]:
            lines.append(f"problem     {count} x {about}")
    for name, value in zip(names, state.words(4), strict=False):
        lines.append(f"{name:<11} {value}")
    return lines


def ask(board: Board, qm: QuantModel, args: argparse.Namespace, clock: int) -> int:
    """One request: prints the text and how it went; the exit status."""
    prompt = qmodel.encode(qm, qm.meta["prompt"] if args.prompt is None else args.prompt)
    settings, result = settings_of(qm, args, prompt), Result()
    shown = show(qm, prompt, "")
    tokens, begin, first = list(prompt), time.monotonic(), 0.0
    for token in board.request(prompt, settings, args.stream, result):
        tokens.append(token)
        first = first or time.monotonic() - begin
        shown = show(qm, tokens, shown)
    seconds = time.monotonic() - begin
    made = len(tokens) - len(prompt)
    print()
    print(f"status      {status_text(result.status)}", file=sys.stderr)
    print(
        f"tokens      {made} in {seconds:.2f} s, the first after {first:.2f} s: "
        f"{made / seconds:.1f} tokens/s here",
        file=sys.stderr,
    )
    steps = made + len(prompt) - 1
    print(
        f"core        {result.cycles} cycles, {result.cycles / max(1, steps):.0f} a token, prompt "
        f"included: {clock * steps / max(1, result.cycles):.0f} tokens/s at {clock / 1e6:g} MHz",
        file=sys.stderr,
    )
    trouble = board.trouble
    for where, counts in (("here", trouble.here), ("on board", trouble.told)):
        for name, count in counts.items():
            print(f"line        {where}: {count} x {name}", file=sys.stderr)
    if result.repeats:
        print(f"line        parts were lost: asked again {result.repeats} times", file=sys.stderr)
    return 0 if result.status & (STOP | LIMIT | FULL) else 1


def main() -> int:
    args = arguments()
    seed, args.seed = args.seed, None  # not the training seed
    config = cli.load_config(args)
    args.seed = seed
    qm = qmodel.load(config.build_dir / "quant")
    manifest = manifest_of(config)
    if not args.patience > 0:
        raise UserError(f"--patience {args.patience}: choose more than 0 seconds")
    port = args.port or os.path.relpath(config.build_dir / SIMULATED)
    with Board(port, args.baud, args.patience) as board:
        model = int(manifest["source"][:MODEL_DIGITS], 16)
        if args.reset:
            board.command(Kind.RESET)
        hello = board.hello(model, qm.vocab_size, int(qm.config["context"]))
        if not 0 <= args.stream < hello.fields["streams"]:
            raise UserError(
                f"--stream {args.stream}: this board has streams 0 to {hello.fields['streams'] - 1}"
            )
        status = ask(board, qm, args, hello.fields["clock"])
        if args.counters:
            state = board.command(Kind.STATUS)
            names = manifest.get("counters", {}).get("names", [])
            print("\n".join(counters_text(state, names)), file=sys.stderr)
    return status


if __name__ == "__main__":
    cli.run(main)
