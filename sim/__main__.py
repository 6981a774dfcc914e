"""`python -m sim`: run the rendered Verilog and compare every bit with the golden model."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

from tqdm import tqdm

from configs import cli
from configs.cli import UserError
from quant import qmodel
from sim import core, env, report, runner
from sim.requests import Request

TOKENS = 64
SEED_MAX = 2**32 - 1


def arguments() -> argparse.Namespace:
    parser = cli.parser(
        "sim", "Simulate the Verilog of a config, and compare it with the golden model bit by bit."
    )
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument(
        "--sim", choices=env.SIMULATORS, default="verilator", help="which simulator"
    )
    parser.add_argument("--prompt", help="text to continue (default: the config's)")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="most tokens to write")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0: always the likeliest token"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the hardware's random numbers")
    parser.add_argument(
        "--questions",
        type=int,
        default=0,
        metavar="N",
        help="instead of a prompt, ask N held-out questions of a task such as digits",
    )
    parser.add_argument(
        "--streams",
        dest="everywhere",
        action="store_true",
        help="ask on every stream of the machine at once, each with a seed of its own",
    )
    parser.add_argument("--waves", action="store_true", help="record waves (FST)")
    return parser.parse_args()


def request(machine: core.Machine, args: argparse.Namespace, seed: int) -> Request:
    """What to ask of the machine; UserError for anything that cannot be asked."""
    qm, context = machine.qm, int(machine.qm.config["context"])
    prompt = qmodel.encode(qm, qm.meta["prompt"] if args.prompt is None else args.prompt)
    if not prompt:
        raise UserError("--prompt: give at least one character or word of the model's vocabulary")
    if len(prompt) > context:
        raise UserError(
            f"--prompt has {len(prompt)} tokens; the context holds {context}: shorten it"
        )
    if args.tokens < 1:
        raise UserError(f"--tokens {args.tokens}: choose at least 1")
    if not 0 <= seed <= SEED_MAX:
        raise UserError(f"--seed {seed}: choose one from 0 to {SEED_MAX}")
    if not math.isfinite(args.temperature):
        raise UserError(f"--temperature {args.temperature}: choose a number, 0 for greedy")
    room = context - len(prompt) + 1
    if args.tokens > room:
        print(f"the context of {context} leaves room for {room} tokens after this prompt")
    return Request(
        tuple(prompt),
        max_tokens=min(args.tokens, room),
        temperature=qm.temperature_register(args.temperature),
        seed=seed,
        stop=qm.stop_token,
    )


def held_out(machine: core.Machine, count: int) -> tuple[list[Request], list[list[int]]]:
    """Requests for the first `count` held-out questions of the artefact, and the right answers."""
    known = machine.qm.meta.get("questions", [])
    if not 1 <= count <= len(known):
        raise UserError(
            f"--questions {count}: this model's task has {len(known)} held-out questions"
            + ("" if known else " (digits has them)")
        )
    asked = [
        Request(tuple(prompt), max_tokens=len(answer), stop=machine.qm.stop_token)
        for prompt, answer in known[:count]
    ]
    return asked, [answer for _, answer in known[:count]]


def main() -> int:
    args = arguments()
    seed, args.seed = args.seed, None  # not the training seed
    config = cli.load_config(args)
    text = f" TEXT={args.text}" if args.text else ""
    machine = core.load(config.build_dir, f"make rtl CONFIG={args.config}{text}")
    if args.questions:
        asked, right = held_out(machine, args.questions)
    else:
        count = machine.streams if args.everywhere else 1
        asked = [replace(request(machine, args, seed + n), stream=n) for n in range(count)]
        right = None
    env.require(args.sim, waves=args.waves)
    out = config.build_dir / "sim"
    total = sum(len(one.prompt) + one.max_tokens - 1 for one in asked)
    with tqdm(total=total, unit="token", desc="compared", delay=1) as bar:

        def on_token(count: int) -> None:
            bar.update(count - bar.n)

        try:
            outcome = core.simulate(
                machine,
                asked,
                simulator=args.sim,
                out=out,
                waves=args.waves,
                on_token=on_token,
            )
        except runner.SimulationError as error:
            tqdm.write(f"FAILED: {error}")
            return 1
    print(report.text(outcome, report.write(outcome, out, right)))
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    cli.run(main)
