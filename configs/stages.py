"""What each stage of the Makefile depends on, as files that change only when their contents do.

`build/<config>/stages/{train,quant,rtl}.json` split the config, so that an edit of `[hardware]`
renders again but does not train again. The text is in by its digest, the seed of training by the
rule that only `make train` may change it: for sim and generate SEED is the sampling seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from configs import cli, files, schema


def stage_inputs(config: schema.Config) -> dict[str, dict[str, Any]]:
    """The part of the config that each stage reads, without what earlier stages read."""
    data = config.data.model_dump()
    prompt, text = data.pop("prompt"), data.pop("text")
    train: dict[str, Any] = {
        "model": config.model.model_dump(),
        "data": data,
        "train": config.train.model_dump(),
    }
    if config.data.task == "text":
        path = schema.CONFIG_DIR.parent / text
        if not path.is_file():
            raise cli.UserError(f"no text '{text}': TEXT= takes a UTF-8 file")
        train["text_sha256"] = files.sha256(path)
    quant: dict[str, Any] = {"quant": config.quant.model_dump(), "prompt": prompt}
    if config.quant.bits:  # their order counts, and the file is sorted
        quant["bits"] = list(config.quant.bits.items())
    return {
        "train": train,
        "quant": quant,
        "rtl": config.hardware.model_dump(),
    }


def recorded_seed(folder: Path) -> int | None:
    """The seed of the last training; None when there is none, or nothing that can be one."""
    path = folder / "seed"
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdecimal() and int(text) < cli.SEEDS else None


def write(config: schema.Config) -> None:
    """The files that differ from what is there."""
    folder = config.build_dir / "stages"
    contents: dict[str, Any] = {"seed": config.train.seed}
    contents |= {f"{name}.json": value for name, value in stage_inputs(config).items()}
    for name, value in contents.items():
        text = json.dumps(value, indent=2, sort_keys=True) + "\n"
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            files.write_text(path, text)


def main() -> None:
    parser = cli.parser("configs.stages", __doc__.partition("\n")[0])
    parser.add_argument("--text", metavar="FILE", help="train on this file instead")
    parser.add_argument("--seed", type=int, help="seed of training (default: the config's)")
    cli.add_streams(parser)
    parser.add_argument("--keep-seed", action="store_true", help="keep the last training's seed")
    args = parser.parse_args()
    folder = cli.load_config(args).build_dir / "stages"
    if args.keep_seed:
        args.seed = recorded_seed(folder)
    config = cli.load_config(args)
    write(config)


if __name__ == "__main__":
    cli.run(main)
