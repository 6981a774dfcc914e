"""Dividers of the clock generators that are built into the FPGAs."""

from __future__ import annotations

from dataclasses import dataclass

from configs.boards import Board
from configs.cli import UserError

MHZ = 1_000_000
TOLERANCE = 0.01  # how far the clock may be from what was asked for


@dataclass(frozen=True)
class Clock:
    """Dividers, by the names of the primitive's parameters, and the clock that they give."""

    hz: float
    dividers: dict[str, int]


def _closest(clocks: list[Clock], board: Board) -> Clock:
    best = min(clocks, key=lambda clock: abs(clock.hz - board.core_hz), default=None)
    if best is None or abs(best.hz / board.core_hz - 1) > TOLERANCE:
        raise UserError(
            f"{board.name}: no PLL setting makes {board.core_hz / MHZ:g} MHz of "
            f"{board.clock_hz / MHZ:g} MHz: choose another FREQ"
        )
    return best


def ecp5(board: Board) -> Clock:
    """EHXPLLL: VCO 400 to 800 MHz, phase detector from 3.125 MHz on (FPGA-TN-02200)."""
    clocks = []
    for divide in range(1, int(board.clock_hz / (3.125 * MHZ)) + 1):
        for multiply in range(1, 81):
            hz = board.clock_hz * multiply / divide
            for output in range(1, 129):
                if 400 * MHZ <= hz * output <= 800 * MHZ:
                    dividers = {"CLKI_DIV": divide, "CLKFB_DIV": multiply, "CLKOP_DIV": output}
                    clocks.append(Clock(hz, dividers))
    return _closest(clocks, board)


def ice40(board: Board) -> Clock:
    """SB_PLL40: VCO 533 to 1066 MHz, phase detector 10 to 133 MHz (FPGA-TN-02052)."""
    clocks = []
    for divr in range(16):
        reference = board.clock_hz / (divr + 1)
        if not 10 * MHZ <= reference <= 133 * MHZ:
            continue
        for divf in range(128):
            vco = reference * (divf + 1)
            if 533 * MHZ <= vco <= 1066 * MHZ:
                for divq in range(1, 7):
                    dividers = {"DIVR": divr, "DIVF": divf, "DIVQ": divq}
                    clocks.append(Clock(vco / 2**divq, dividers))
    return _closest(clocks, board)


def clock(board: Board) -> Clock:
    """What stands between the board's oscillator and the machine."""
    if board.core_hz == board.clock_hz:
        return Clock(board.clock_hz, {})
    makers = {"ecp5": ecp5, "ice40": ice40}
    family = board.fpga.family
    if family not in makers:
        raise UserError(f"{board.name}: no PLL for the family {family}: leave FREQ away")
    return makers[family](board)
