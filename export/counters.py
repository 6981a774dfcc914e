"""The counters of the machine: what every cycle of a request is spent on.

One list, from which the manifest, the reports and the host's register map follow. Each counter is
`WIDTH` bits wide and unsigned; number n of `NAMES` is at bit n * WIDTH of the core's `counters_o`.
The counters of the causes add up to the cycles.
"""

from __future__ import annotations

WIDTH = 32

# What a cycle is spent on, as hdl/top/counters.sv numbers it, in order of precedence.
CAUSES = {
    "issued": "a wave entered the array",
    "operand": "elements of the next wave were not written yet",
    "gate": "keys or values of this token were not written yet",
    "noise": "the noise of this token was not drawn yet",
    "fetch": "the next step was read from the program ROM",
    "host": "a prompt token was awaited, or an answer was not taken",
    "idle": "between tokens: last results on their way, the next token sampled and started",
}
ISSUED, OPERAND, GATE, NOISE, FETCH, HOST, IDLE = range(len(CAUSES))
NAMES = ("cycles", *CAUSES)  # cycles: while a request is in the machine
