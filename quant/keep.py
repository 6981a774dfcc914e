"""What `make qat` took minutes to train is not thrown away by `make quantize`.

Make asks for a new artefact whenever a file of quant/ changes; a trained one is out of date only
when its float model is another, or the config's section [quant].
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs import files
from configs.cli import UserError
from configs.schema import Config
from quant import qmodel, storage
from quant.qmodel import QuantModel

NEW = "make quantize FORCE=1 (python -m quant --force) quantises anew"


def source(config: Config) -> str:
    """The trained float model, as a digest."""
    folder = config.build_dir / "model"
    return files.sha256(folder / "config.json", folder / "weights.safetensors")


def section(config: Config) -> dict[str, Any]:
    """The section [quant], as JSON has it: `meta.qat.section` of a trained artefact."""
    order = {"bits": [list(pair) for pair in config.quant.bits.items()]}  # it counts
    return config.quant.model_dump() | order


def as_trained(qm: QuantModel, wanted: dict[str, Any]) -> QuantModel:
    """`qm`, known as trained for a config whose `section` is `wanted`."""
    return replace(qm, meta=qm.meta | {"qat": {"section": wanted}})


def is_trained(folder: Path) -> bool:
    """Whether there is an artefact, of whatever version, that was trained."""
    try:
        wrapped = json.loads((folder / storage.JSON_NAME).read_text(encoding="utf-8"))
        return "qat" in wrapped["document"]["meta"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def kept(config: Config, calibration_text: str | None = None) -> bool:
    """Whether the artefact of `config` was trained and still serves, so that it stays, now the
    newest of its files; UserError when it was trained and does not serve what is asked for."""
    folder = config.build_dir / "quant"
    if not is_trained(folder):
        return False
    where = os.path.relpath(folder)
    why = "and not on that text" if calibration_text else _misfit(config, folder)
    if why:
        raise UserError(f"{where} was trained (make qat), {why}: make qat trains again, {NEW}")
    os.utime(folder / storage.JSON_NAME)
    print(f"{where} was trained (make qat) and still fits, so it stays; {NEW}")
    return True


def _misfit(config: Config, folder: Path) -> str:
    """Why the trained artefact in `folder` does not serve; empty if it does."""
    try:
        qm: QuantModel = qmodel.load(folder)
    except UserError:
        return "but this version cannot read it"
    if qm.meta["source"] != source(config):
        return "but from another float model"
    if qm.meta["qat"]["section"] != section(config):
        return "but for another section [quant]"
    return ""
