"""FPGAs (`configs/devices/<name>.toml`): what they have, and what a memory takes of it."""

from __future__ import annotations

import tomllib
from typing import Literal

from pydantic import Field, ValidationError

from configs.schema import CONFIG_DIR, ConfigError, Section

FOLDER = CONFIG_DIR / "devices"
KBIT = 1024
Family = Literal["ecp5", "ice40", "gowin", "xilinx7", "cyclonev"]


class BlockRam(Section):
    """Blocks that are all alike. A block of 18 kbit is 512 words of 36 bits, or 1024 of 18, ..."""

    name: str
    block_kbit: int = Field(ge=1)
    blocks: int = Field(ge=1)
    block_words: int = Field(512, ge=64, description="words of a block where it is widest")

    def count(self, width: int, words: int) -> int:
        """Blocks of a memory of `words` words of `width` bits, all blocks in the best shape."""
        bits, depth = max(1, self.block_kbit * KBIT // self.block_words), self.block_words
        counts = []
        while bits:
            counts.append(-(-width // bits) * -(-words // depth))
            bits, depth = bits // 2, depth * 2
        return min(counts)


class Device(BlockRam):
    """One FPGA."""

    family: Family
    part: str = Field(description="as the family's tools call it, without package and speed")
    luts: int = Field(ge=1, description="lookup tables")
    flip_flops: int = Field(ge=1)
    multipliers: int = Field(ge=0)
    factors: tuple[int, int] = Field((18, 18), description="bits of a multiplier's factors, signed")


def available() -> list[str]:
    """Names of the devices that we know."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Device:
    """Read `configs/devices/<name>.toml`; raises ConfigError with one line."""
    if name not in available():
        raise ConfigError(f"no device '{name}'; there are: {', '.join(available())}")
    try:
        facts = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        facts["factors"] = tuple(facts.get("factors", (18, 18)))
        return Device(name=name, **facts)
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ConfigError(f"device '{name}': {str(error).splitlines()[0]}") from None
