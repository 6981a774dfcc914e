"""completion: random clears and last writes of every kind, against a set; resets."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, parameters, read

CYCLES = 1500
X, Q, K, V, ATTENTION, FIRST_HEAD = 2, 3, 4, 5, 6, 8  # slots
EVENTS = ("x", "q", "k", "v", "op", "head")
CONTEXT = {"x": "x", "q": "q", "k": "kv", "v": "kv", "op": "op", "head": "head"}


def draw(p: dict[str, int], share: float) -> dict[str, int]:
    """All ports; what is not valid is random too."""
    ports = {f"{name}_done": int(random.random() < share) for name in EVENTS}
    names = ("clear", *set(CONTEXT.values()))
    ports |= {f"{name}_ctx": random.randrange(p["Contexts"]) for name in names}
    ports |= {"clear": int(random.random() < 0.3), "clear_slot": random.randrange(p["Slots"])}
    ports |= {"op_slot": random.choice((ATTENTION, ATTENTION + 1))}
    return ports | {"head": random.randrange(p["Slots"] - FIRST_HEAD)}


def written(ports: dict[str, int]) -> set[tuple[int, int]]:
    """(context, slot) of the last writes in a cycle."""
    slots = {"x": X, "q": Q, "k": K, "v": V, "op": ports["op_slot"]}
    slots["head"] = FIRST_HEAD + ports["head"]
    done = [name for name in EVENTS if ports[f"{name}_done"]]
    return {(ports[f"{CONTEXT[name]}_ctx"], slots[name]) for name in done}


@cocotb.test()
async def remembers(dut: Any) -> None:
    p, check = parameters(), Checker("completion")
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    complete: set[tuple[int, int]] = set()
    for cycle in range(CYCLES):
        await FallingEdge(dut.clk_i)
        reset = cycle < RESET_CYCLES or random.random() < 0.005
        ports = draw(p, random.choice((0.05, 0.3, 1.0)))
        cleared = (ports["clear_ctx"], ports["clear_slot"])
        done = written(ports)
        if cleared in done:  # never meet
            ports["clear"] = 0
        noise = random.getrandbits(p["Contexts"])
        values = ports | {"rst": int(reset), "noise_ready": noise}
        for name, value in values.items():
            getattr(dut, f"{name}_i").value = value
        await Timer(1, "ns")
        if cycle >= RESET_CYCLES:
            flags = [
                int(
                    slot == 0 or (slot == 1 and noise >> context & 1) or (context, slot) in complete
                )
                for context in range(p["Contexts"])
                for slot in range(p["Slots"])
            ]
            check.lanes(f"complete_o {cycle}", flags, read(dut.complete_o), 1)
        complete |= done
        complete -= {cleared} if ports["clear"] else set()
        complete = set() if reset else complete
    check.finish()
