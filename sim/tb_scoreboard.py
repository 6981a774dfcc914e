"""scoreboard: random clears, events of several writers and queries, against a dict; resets.

Queries are answered in the next cycle; half of them are those of a step that is loaded.
"""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, pack, parameters, read

CYCLES = 1500


class Slots:
    """Elements and completeness of every slot; slots 0 and 1 are special."""

    def __init__(self, slots: int) -> None:
        self.count = dict.fromkeys(range(slots), 0)
        self.complete = dict.fromkeys(range(2, slots), False)

    def is_complete(self, slot: int, busy: bool) -> bool:
        return not busy if slot == 1 else self.complete.get(slot, True)

    def ready(self, slot: int, need: int, busy: bool) -> bool:
        return self.is_complete(slot, busy) or self.count[slot] >= need

    def update(self, clear: int | None, events: list[tuple[int, int, bool]]) -> None:
        """The end of a cycle; a clear wins over an event of the same cycle."""
        for slot, amount, final in events:
            if slot >= 2:
                self.count[slot] += amount
                self.complete[slot] = final
        if clear is not None and clear >= 2:
            self.count[clear], self.complete[clear] = 0, False


def draw_events(slots: Slots, events: int, limit: int) -> list[tuple[int, int, bool] | None]:
    """For each writer nothing or (slot, amount, final); no slot twice, no count above the limit."""
    chosen: list[tuple[int, int, bool] | None] = []
    for slot in random.sample(sorted(slots.count), min(events, len(slots.count))):
        amount = random.choice((0, 1, 4, random.randint(0, limit)))
        fits = slots.count[slot] + amount <= limit
        event = (slot, amount, random.random() < 0.3)
        chosen.append(event if fits and random.random() < 0.3 else None)
    return chosen + [None] * (events - len(chosen))


def drive_events(dut: Any, chosen: list[tuple[int, int, bool] | None], p: dict[str, int]) -> None:
    """Valid events; random values on the ports of the others."""
    garbage = random.randrange(p["Slots"]), random.getrandbits(p["LenW"]), random.random() < 0.5
    filled = [event or garbage for event in chosen]
    dut.event_valid_i.value = pack([event is not None for event in chosen], 1)
    dut.event_slot_i.value = pack([slot for slot, _, _ in filled], p["SlotW"])
    dut.event_amount_i.value = pack([amount for _, amount, _ in filled], p["LenW"])
    dut.event_final_i.value = pack([final for _, _, final in filled], 1)


@cocotb.test()
async def keeps_score(dut: Any) -> None:
    p = parameters()
    count, limit = p["Slots"], (1 << p["LenW"]) - 1
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    slots, check = Slots(count), Checker("scoreboard")
    answers = (0, 0, "")  # ready_o and gate_ready_o of this cycle, and what was asked
    for cycle in range(CYCLES):
        await FallingEdge(dut.clk_i)
        reset, busy = cycle < RESET_CYCLES or random.random() < 0.005, random.random() < 0.5
        slot, gate = random.randrange(count), random.randrange(count)
        stored = slots.count[slot]
        need = random.choice((stored, stored + 1, 1, random.randint(1, limit)))
        need = max(1, min(limit, need))
        load = random.random() < 0.5
        other, other_gate = random.randrange(count), random.randrange(count)
        clear = random.randrange(count) if random.random() < 0.15 else None
        events = draw_events(slots, p["Events"], limit)
        dut.rst_i.value, dut.busy_i.value = int(reset), int(busy)
        dut.slot_i.value, dut.need_i.value, dut.gate_slot_i.value = slot, need, gate
        dut.load_i.value = int(load)
        dut.load_slot_i.value, dut.load_gate_slot_i.value = other, other_gate
        dut.clear_i.value = int(clear is not None)
        dut.clear_slot_i.value = random.randrange(count) if clear is None else clear
        drive_events(dut, events, p)
        await Timer(1, "ns")
        if cycle >= RESET_CYCLES:
            ready, open_gate, where = answers
            check.equal(f"ready_o {where}", ready, read(dut.ready_o))
            check.equal(f"gate_ready_o {where}", open_gate, read(dut.gate_ready_o))
            complete = [int(slots.is_complete(number, busy)) for number in range(count)]
            check.lanes(f"complete_o {cycle}", complete, read(dut.complete_o), 1)
        if load:
            slot, need, gate = other, p.get("First", 8) & limit, other_gate
        where = f"asked in cycle {cycle}: slot {slot}, need {need}, gate {gate}"
        answers = int(slots.ready(slot, need, busy)), int(slots.is_complete(gate, busy)), where
        slots.update(clear, [event for event in events if event is not None])
        if reset:
            slots = Slots(count)
    check.finish()
