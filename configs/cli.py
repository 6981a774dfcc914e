"""What every command line shares: the config option and one-line errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from configs import schema

SEEDS = 2**32  # a seed is below this; the sampler's is a word of 32 bits


class UserError(Exception):
    """Something the user can mend; the message is one line and says how."""


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Names the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


class _Config(argparse.Action):
    """The config, by its place or by its option, but only once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, "named", values) != values:
            parser.error(f"two configs, {namespace.named} and {values}: name one")
        namespace.config = namespace.named = values


class _Parser(argparse.ArgumentParser):
    """A mistake in the options is one line, as every other one."""

    def parse_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """The config may stand before, between and behind the options."""
        if any(
            isinstance(action, _Config) and not action.option_strings for action in self._actions
        ):
            return self.parse_intermixed_args(args, namespace)
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def parser(module: str, description: str, config: bool = True) -> argparse.ArgumentParser:
    """An argument parser that every stage begins with: the config, where one is wanted."""
    result = _Parser(prog=f"python -m {module}", description=description, formatter_class=_Help)
    if config:
        add_config(result)
        result.add_argument(
            "name",
            nargs="?",
            metavar="CONFIG",
            default=argparse.SUPPRESS,
            action=_Config,
            help="the same as --config CONFIG",
        )
    return result


def add_config(to: argparse.ArgumentParser) -> None:
    """The option that names the config."""
    to.add_argument(
        "--config",
        action=_Config,
        default="stories",
        metavar="NAME",
        help=f"config in configs/ ({', '.join(schema.available())}) or a path to a .toml file",
    )


def load_config(args: argparse.Namespace) -> schema.Config:
    """The config that the command line names, with `--text`, `--seed`, `--streams` put into it."""
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
        if not 0 <= seed < SEEDS:
            raise UserError(f"--seed {seed}: choose one from 0 to {SEEDS - 1}")
        train = config.train.model_copy(update={"seed": seed})
        config = config.model_copy(update={"train": train})
    streams = getattr(args, "streams", None)
    if streams is not None:
        if not 1 <= streams <= schema.STREAMS:
            raise UserError(f"--streams {streams}: choose 1 to {schema.STREAMS}")
        hardware = config.hardware.model_copy(update={"streams": streams})
        config = config.model_copy(update={"hardware": hardware})
    return config


def add_streams(to: argparse.ArgumentParser) -> None:
    """The option that changes how many sequences share the array."""
    to.add_argument(
        "--streams", type=int, metavar="N", help="sequences that share the array, not the config's"
    )


def run(main: Callable[[], int | None]) -> None:
    """Call `main`; errors that a user can mend become one line on stderr and exit status 2."""
    try:
        status = main()
    except (UserError, schema.ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.strerror is None:
            raise
        where = f"'{error.filename}': " if error.filename is not None else ""
        print(f"error: {where}{error.strerror}; mend that and run again", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status or 0)
