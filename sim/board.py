"""`python -m sim.board`: a simulated board behind a pseudo-terminal, for `python -m sim.host`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from configs import cli, files
from configs.cli import UserError
from sim import env, runner

# The line is fast beside the clock, so that a byte costs few cycles of simulation.
CLOCK_HZ, BAUD, PERIOD_NS = 25_000_000, 3_125_000, 40
TIMEOUT = 0.0005  # seconds of simulated time after which half a frame is given up
TOP, FILES = "board_top", "board.f"
READY, STOP, PORT = "ready", "stop", "port"  # in the folder of the simulation; see sim.tb_board
POLL_SECONDS = 0.1


def arguments() -> argparse.Namespace:
    parser = cli.parser("sim.board", "Simulate a whole board; the host talks to it by its port.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument(
        "--noise", type=float, default=0.0, help="probability that a byte on the line is hit"
    )
    parser.add_argument("--seed", type=int, help="of the noise")
    return parser.parse_args()


def rendered(rtl: Path, out: Path) -> list[Path]:
    """Render the board's top into `out`, by the exporter's command line; all of its Verilog."""
    options = ["--rtl", str(rtl), "--out", str(out), "--timeout", str(TIMEOUT)]
    options += ["--clock", str(CLOCK_HZ), "--baud", str(BAUD)]
    command = [sys.executable, "-m", "export.board", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(result.stderr.strip().removeprefix("error: "))
    return [out / name for name in (out / FILES).read_text().split("\n") if name]


def start(
    rtl: Path, out: Path, noise: float, seed: int | None, pool: ThreadPoolExecutor
) -> Future[runner.Result]:
    """A board of the core in `rtl`, simulated in the folder `out` until the file `stop` appears."""
    where = out / "run"
    for name in (READY, STOP, PORT):
        (where / name).unlink(missing_ok=True)
    where.mkdir(parents=True, exist_ok=True)
    for image in rtl.glob("*.hex"):
        files.write_bytes(where / image.name, image.read_bytes())
    job = {
        "folder": str(where.resolve()),
        "noise": noise,
        "period_ns": PERIOD_NS,
        "bit_ns": PERIOD_NS * CLOCK_HZ / BAUD,
    }
    files.write_json(where / "job.json", job)
    sources = rendered(rtl, out)
    return pool.submit(
        runner.run,
        TOP,
        sources,
        "sim.tb_board",
        simulator="verilator",
        build_dir=out,
        env={"BOARD_JOB": str(where.resolve() / "job.json")},
        seed=seed,
        test_dir=where,
    )


def wait_ready(out: Path, future: Future[runner.Result]) -> Path:
    """The port, once the board is built and runs; raises what the simulation raised."""
    while not (out / "run" / READY).exists():
        if future.done():
            future.result()
            raise UserError(f"the simulation in {out} ended at once: see its log")
        time.sleep(POLL_SECONDS)
    return out / "run" / PORT


def main() -> int:
    args = arguments()
    seed, args.seed = args.seed, None
    config = cli.load_config(args)
    if not 0 <= args.noise < 1:
        raise UserError(f"--noise {args.noise}: choose a probability from 0 to below 1")
    env.require("verilator")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside: as by ctrl-C
    out = config.build_dir / "board"
    with ThreadPoolExecutor(1) as pool:
        future = start(config.build_dir / "rtl", out, args.noise, seed, pool)
        try:
            port = os.path.relpath(wait_ready(out, future))
            print(f"ready at {port}: now 'make host CONFIG={args.config}' elsewhere", flush=True)
            future.result()
        except runner.SimulationError as error:
            print(f"FAILED: {error}")
            return 1
        finally:
            (out / "run" / STOP).touch()
    return 0


if __name__ == "__main__":
    cli.run(main)
