"""Boards (`configs/boards/<name>.toml`): which FPGA they carry, their clock and their pins."""

from __future__ import annotations

import tomllib
from typing import Any

from pydantic import Field, ValidationError, model_validator

from configs import devices
from configs.devices import Device
from configs.schema import CONFIG_DIR, ConfigError, Section

FOLDER = CONFIG_DIR / "boards"
LEDS = 8  # of the board's top; a board may have fewer


class Pins(Section):
    """Package pins, by the ports of `board_top`."""

    clk: str
    uart_rx: str = Field(description="into the FPGA")
    uart_tx: str = Field(description="out of the FPGA")
    rst_n: str | None = Field(None, description="a button, low while it is pressed")
    leds: list[str] = Field(max_length=LEDS)


class Board(Section):
    """One board."""

    name: str
    device: str = Field(description="file in configs/devices")
    package: str
    speed: str = Field(description="speed grade, as the place-and-route tool calls it")
    clock_hz: int = Field(gt=0, description="oscillator")
    core_hz: int = Field(0, ge=0, description="clock of the machine; 0: the oscillator's")
    baud: int = Field(115200, gt=0)
    leds_low: bool = Field(False, description="a light is on while its pin is low")
    pins: Pins

    @model_validator(mode="before")
    @classmethod
    def _without_pll(cls, facts: dict[str, Any]) -> dict[str, Any]:
        return facts | {"core_hz": facts.get("core_hz") or facts.get("clock_hz")}

    @property
    def clock_module(self) -> str:
        """The module between the oscillator and the machine."""
        return "clock_pass" if self.core_hz == self.clock_hz else "clock_pll"

    @property
    def fpga(self) -> Device:
        return devices.load(self.device)


def available() -> list[str]:
    """Names of the boards that we know."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Board:
    """Read `configs/boards/<name>.toml`; raises ConfigError with one line."""
    if name not in available():
        raise ConfigError(f"no board '{name}'; there are: {', '.join(available())}")
    try:
        facts = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        board = Board(name=name, **facts)
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ConfigError(f"board '{name}': {str(error).splitlines()[0]}") from None
    devices.load(board.device)
    return board
