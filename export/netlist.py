"""Values of nets of an ECP5 or iCE40 netlist (JSON of `yosys synth_...`), for many inputs at once.

Logic cells, registers and block RAM in the role of a ROM, over the two clock cycles that a read of
a ROM takes. Meaning of the cells: Yosys' simulation models, and for block RAM Lattice's
FPGA-TN-02204 (ECP5) and FPGA-TN-02002 (iCE40).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]  # the value of one net for every input
CONSTANTS = {"0": False, "1": True}
SAMPLES, SEED = 1 << 16, 1
SMALL_REGISTER = re.compile(r"SB_DFF(E?)(S[RS])?")  # of iCE40, of the rising edge
WORDS, SLOT = 64, 20  # INITVAL_00 .. INITVAL_3F, 16 slots of 20 bits in each, 18 of them used


class Unreadable(Exception):
    """A net whose value does not follow from the address alone."""


class Netlist:
    """One module of a netlist, with the driver of each net."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.names: dict[str, list[Any]] = {
            name: net["bits"] for name, net in module["netnames"].items()
        }
        self.drivers: dict[int, tuple[str, str]] = {}  # net: cell, port and its bit, if it has many
        self.cells: Mapping[str, Any] = module["cells"]
        for name, cell in self.cells.items():
            for port, direction in cell.get("port_directions", {}).items():
                if direction == "output":
                    bits = cell["connections"][port]
                    for bit, net in enumerate(bits):
                        self.drivers[net] = (name, port if len(bits) == 1 else f"{port}{bit}")


class Reader:
    """Values of nets for many addresses of one ROM at once."""

    def __init__(self, netlist: Netlist, known: Mapping[int, Bits], count: int) -> None:
        """`known`: nets whose values are given, `count` of each."""
        self.netlist = netlist
        self.count = count
        self.values: dict[int, Bits] = dict(known)

    def read(self, net: Any) -> Bits:
        """Value of `net`; raises Unreadable."""
        if not isinstance(net, int):
            if net not in CONSTANTS:
                raise Unreadable("a bit is undefined")
            return np.full(self.count, CONSTANTS[net])
        if net not in self.values:
            name, port = self.netlist.drivers.get(net, ("", ""))
            cell = self.netlist.cells[name] if name else {"type": "port"}
            logic = COMBINATIONAL.get(cell["type"])
            self.values[net] = logic(self, cell, port) if logic else self.source(name, cell, port)
        return self.values[net]

    def source(self, name: str, cell: Mapping[str, Any], port: str) -> Bits:
        """Value of a net that is no logic: here only the address is known."""
        raise Unreadable(f"it depends on '{name}' of type {cell['type']}")

    def port(self, cell: Mapping[str, Any], port: str, default: str = "0", bit: int = 0) -> Bits:
        return self.read(cell["connections"].get(port, [default])[bit])


class Sampler(Reader):
    """Registers, ports and whatever else is no logic take random values."""

    def __init__(self, netlist: Netlist) -> None:
        super().__init__(netlist, {}, SAMPLES)
        self.random = np.random.default_rng(SEED)

    def source(self, name: str, cell: Mapping[str, Any], port: str) -> Bits:
        return self.random.integers(2, size=self.count).astype(bool)


class Later(Reader):
    """Values one clock cycle after those of another reader: registers hold what they took then."""

    def __init__(self, before: Reader) -> None:
        super().__init__(before.netlist, {}, before.count)
        self.before = before
        self.memory: dict[str, NDArray[np.uint64]] = {}

    def source(self, name: str, cell: Mapping[str, Any], port: str) -> Bits:
        if cell["type"] == "DP16KD":
            return self.block(name, cell, port)
        if cell["type"] == "SB_RAM40_4K":
            return self.small_block(name, cell, int(port.removeprefix("RDATA")))
        if cell["type"] == "TRELLIS_FF":
            return register(self.before, cell)
        if match := SMALL_REGISTER.fullmatch(cell["type"]):
            return small_register(self.before, cell, *match.groups())
        return self.before.source(name, cell, port)

    def block(self, name: str, cell: Mapping[str, Any], port: str) -> Bits:
        """One data bit of a block RAM; `port` is DOA0 .. DOB17."""
        side, bit = port[2], int(port[3:])
        width = number(cell["parameters"][f"DATA_WIDTH_{side}"])
        if width == 36:  # read through port B, low half on the outputs of A
            side, bit = "B", bit + 18 * (side == "B")
        key = f"{name}.{side}"
        if key not in self.memory:
            for other in "AB":
                if (
                    self.before.port(cell, f"CE{other}") & self.before.port(cell, f"WE{other}")
                ).any():
                    raise Unreadable(f"block RAM {name} is written")
            if not self.before.port(cell, f"CE{side}").all():
                raise Unreadable(f"block RAM {name} is not read in every cycle")
            shift = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}[width]
            address = np.zeros(self.count, np.int64)
            for i in range(shift, 14):
                address += self.before.port(cell, f"AD{side}{i}").astype(np.int64) << (i - shift)
            self.memory[key] = contents(cell["parameters"], width)[address]
        word = self.memory[key]
        return ((word >> bit & 1) == 1) & ~self.before.port(cell, f"RST{side}")

    def small_block(self, name: str, cell: Mapping[str, Any], bit: int) -> Bits:
        """Bit `bit` of the output of a block RAM of iCE40."""
        before = self.before
        if (before.port(cell, "WE") & before.port(cell, "WCLKE", "1")).any():
            raise Unreadable(f"block RAM {name} is written")
        if not (before.port(cell, "RE") & before.port(cell, "RCLKE", "1")).all():
            raise Unreadable(f"block RAM {name} is not read in every cycle")
        mode = number(cell["parameters"]["READ_MODE"])  # words of 16, 8, 4, 2 bits
        address = np.zeros(self.count, np.int64)
        for i in range(8 + mode):
            address |= before.port(cell, "RADDR", bit=i).astype(np.int64) << i
        if name not in self.memory:
            self.memory[name] = small_contents(cell["parameters"])
        place = (bit >> mode << mode) + (address >> 8)  # a bit of each group of 2^mode
        return (self.memory[name][address & 255] >> place.astype(np.uint64) & 1) == 1


def number(value: Any) -> int:
    """A parameter, which Yosys writes as binary digits or as a number."""
    return int(value, 2) if isinstance(value, str) else int(value)


def text(parameters: Mapping[str, Any], name: str, default: str) -> str:
    """A parameter that is a word; Yosys adds a space where it could be taken for digits."""
    return str(parameters.get(name, default)).strip()


def contents(parameters: Mapping[str, Any], width: int) -> NDArray[np.uint64]:
    """The words of a DP16KD as a port of `width` bits sees them."""
    flat = []  # 18432 bits, lowest first
    for i in range(WORDS):
        value = number(parameters.get(f"INITVAL_{i:02X}", 0))
        flat += [value >> (slot * SLOT + bit) & 1 for slot in range(16) for bit in range(18)]
    bits = np.array(flat, np.uint64)
    if width < 9:  # the ninth bit of each byte is out of reach
        bits = bits.reshape(-1, 9)[:, :8].reshape(-1)
    return (bits.reshape(-1, width) << np.arange(width, dtype=np.uint64)).sum(1, dtype=np.uint64)


def small_contents(parameters: Mapping[str, Any]) -> NDArray[np.uint64]:
    """The 256 words of 16 bits of an SB_RAM40_4K; 0 where nothing is said."""
    texts = [str(parameters.get(f"INIT_{i:X}", "0")).replace("x", "0") for i in range(16)]
    values = [int(text, 2) for text in texts]
    return np.array([v >> 16 * word & 0xFFFF for v in values for word in range(16)], np.uint64)


def lookup(reader: Reader, cell: Mapping[str, Any], table: int, inputs: Sequence[str]) -> Bits:
    """A table of 2^inputs bits; an input on which it does not depend is not read."""
    index = np.zeros(reader.count, np.int64)
    for k, name in enumerate(inputs):
        entries = range(1 << len(inputs))
        if any((table >> e & 1) != (table >> (e ^ 1 << k) & 1) for e in entries):
            index |= reader.port(cell, name).astype(np.int64) << k
    return (table >> index & 1).astype(bool)


def _lut(reader: Reader, cell: Mapping[str, Any], port: str) -> Bits:
    return lookup(reader, cell, number(cell["parameters"]["INIT"]), "ABCD")


def _adder(reader: Reader, cell: Mapping[str, Any], port: str) -> Bits:
    """CCU2C: two bits of a carry chain."""
    carry = reader.port(cell, "CIN")
    for half in "01":
        table = number(cell["parameters"][f"INIT{half}"])
        injected = text(cell["parameters"], f"INJECT1_{half}", "YES") == "YES"
        propagate = lookup(reader, cell, table, [f"{name}{half}" for name in "ABCD"])
        if port == f"S{half}":
            return propagate if injected else propagate ^ carry
        generate = lookup(reader, cell, table & 15, [f"{name}{half}" for name in "AB"])
        carry = np.where(propagate, carry, ~np.full_like(carry, injected) & generate)
    return carry


def _mux(select: str, one: str, zero: str) -> Any:
    def value(reader: Reader, cell: Mapping[str, Any], port: str) -> Bits:
        chosen = reader.port(cell, select)
        return np.where(chosen, reader.port(cell, one), reader.port(cell, zero))

    return value


def register(reader: Reader, cell: Mapping[str, Any]) -> Bits:
    """What a register takes, which it must do in every cycle."""
    p = cell["parameters"]
    mode = text(p, "CEMUX", "1")
    enable = mode == "1" or (reader.port(cell, "CE", "1") ^ (mode == "INV"))
    if not np.all(enable):
        raise Unreadable("a register does not take its input in every cycle")
    reset = reader.port(cell, "LSR") ^ (text(p, "LSRMUX", "LSR") == "INV")
    return np.where(reset, text(p, "REGSET", "RESET") == "SET", reader.port(cell, "DI"))


def small_register(reader: Reader, cell: Mapping[str, Any], enable: str, reset: str) -> Bits:
    """The same of iCE40: with an enable or without, reset with the clock to 0 or 1 or not."""
    if enable and not reader.port(cell, "E").all():
        raise Unreadable("a register does not take its input in every cycle")
    data = reader.port(cell, "D")
    if not reset:
        return data
    return np.where(reader.port(cell, reset[1]), reset == "SS", data)


def _small_lut(reader: Reader, cell: Mapping[str, Any], port: str) -> Bits:
    return lookup(
        reader, cell, number(cell["parameters"]["LUT_INIT"]), [f"I{bit}" for bit in range(4)]
    )


def _carry(reader: Reader, cell: Mapping[str, Any], port: str) -> Bits:
    a, b, carry = (reader.port(cell, name) for name in ("I0", "I1", "CI"))
    return a & b | carry & (a | b)


COMBINATIONAL = {
    "LUT4": _lut,
    "SB_LUT4": _small_lut,
    "SB_CARRY": _carry,
    "PFUMX": _mux("C0", "ALUT", "BLUT"),
    "L6MUX21": _mux("SD", "D1", "D0"),
    "CCU2C": _adder,
}
