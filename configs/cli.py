"""What every command line shares: the config option and one-line errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from configs import schema


class UserError(Exception):
    """Something the user can mend; the message is one line and says how."""


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """An argument parser that every stage begins with: `--config`."""
    result = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    result.add_argument(
        "--config",
        default="stories",
        metavar="NAME",
        help=f"config in configs/ ({', '.join(schema.available())}) or a path to a .toml file",
    )
    return result


def load_config(args: argparse.Namespace) -> schema.Config:
    """The config that the command line names, with `--text` and `--seed` put into it."""
    config = schema.load(args.config)
    text = getattr(args, "text", None)
    if text:
        if config.data.task != "text":
            raise UserError(f"--text: config '{config.name}' learns the task '{config.data.task}'")
        data = config.data.model_copy(update={"text": str(Path(text).resolve())})
        config = config.model_copy(
            update={"data": data, "name": f"{config.name}-{Path(text).stem}"}
        )
    seed = getattr(args, "seed", None)
    if seed is not None:
        train = config.train.model_copy(update={"seed": seed})
        config = config.model_copy(update={"train": train})
    return config


def run(main: Callable[[], int | None]) -> None:
    """Call `main`; errors that a user can mend become one line on stderr and exit status 2."""
    try:
        status = main()
    except (UserError, schema.ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status or 0)
