"""Simulating one static module alone: which files it needs, and the test that its checker fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import env, runner
from sim.stimuli import tiles_of_word, waves_of_word

HDL = Path(__file__).resolve().parents[2] / "hdl"

# A module's instances, direct and indirect ones.
NEEDS = {
    "pe": "mul",
    "systolic_row": "operand_bank kv_bank sign_extend mul pe",
    "kv_writer": "resize",
    "norm_unit": "mul adder_tree normalize delay_line sum_squares scalar_lut",
    "vector_unit": (
        "mul bits_limit saturate resize delay_line scale_index requant_lane activation_lane "
        "residual_mem saturating_add sign_extend tile_address rope qkv_path operand_port"
    ),
    "controller": "resize",
    "max_tree": "max4",
    "requant_lane": "mul bits_limit saturate",
    "rope": "mul bits_limit saturate delay_line",
    "sum_squares": "mul adder_tree delay_line",
    "scalar_lut": "normalize delay_line",
    "softmax": "max4 max_tree adder_tree normalize scalar_lut delay_line",
    "embed": "saturate scale_index delay_line",
    "noise": "normalize mul delay_line noise_value noise_bank",
    "sequencer": "step_waves",
    "scheduler": "step_waves lowest_set next_in_turn select_word",
    "streams": "controller resize lowest_set next_in_turn select_word",
    "noise_streams": (
        "normalize mul delay_line noise_value noise_bank lowest_set next_in_turn select_word"
    ),
    "noise_value": "normalize mul delay_line",
    "noise_bank": "delay_line",
    "qkv_path": "mul bits_limit saturate delay_line rope scale_index resize",
    "next_in_turn": "lowest_set",
    "sampler": "max4 max_tree scale_index delay_line",
    "deframer": "crc32",
    "framer": "crc32",
    "axis_mux": "round_robin resize",
    "stream_port": "prompt_buffer fifo",
    "reporter": "fifo round_robin resize",
    "link": (
        "crc32 fifo round_robin resize deframer framer commands prompt_buffer stream_port reporter"
    ),
}
CORRUPTED = 7  # number of the comparison whose expected value is spoilt


def sources(module: str) -> list[Path]:
    """The files of `module` and of all that it instantiates."""
    names = [*NEEDS.get(module, "").split(), module]
    return [path for name in names for path in HDL.glob(f"*/{name}.sv")]


def simulate(
    module: str, simulator: str, build: Path, parameters: dict[str, int], **extra: str
) -> runner.Result:
    """Run sim/tb_<module>.py on `module` with `parameters`."""
    return runner.run(
        module,
        sources(module),
        f"sim.tb_{module}",
        simulator=simulator,
        build_dir=build / "modules",
        parameters=parameters,
        env={"PARAMETERS": json.dumps(parameters), **extra},
    )


def cases(*sets: dict[str, int], verilator: int = 1, slow: bool = False) -> list:
    """Every parameter set on Icarus, the first few also on Verilator, whose builds are slow.

    slow: those on Verilator are marked so.
    """
    marks = {"verilator": [pytest.mark.slow] if slow else []}
    return [
        pytest.param(
            simulator, values, id=f"{simulator}-{_name(values)}", marks=marks.get(simulator, [])
        )
        for simulator in env.SIMULATORS
        for values in (sets if simulator == "icarus" else sets[:verilator])
    ]


def layouts(names: str, *lines: str) -> tuple[dict[str, int], ...]:
    """Parameter sets: their names, and the numbers of each; those of an operand word follow."""
    sets = []
    for line in lines:
        values = dict(zip(names.split(), map(int, line.split()), strict=True))
        rows, cols = values["Rows"], values["Cols"]
        sub, groups = waves_of_word(rows, cols), tiles_of_word(rows, cols)
        widths = {
            "SubW": max(1, (sub - 1).bit_length()),
            "GroupW": max(1, (groups - 1).bit_length()),
        }
        sets.append(values | {"Sub": sub} | widths)
    return tuple(sets)


def check_fails(module: str, build: Path, parameters: dict[str, int]) -> None:
    """A corrupted expected value must be found."""
    with pytest.raises(runner.SimulationError, match="1 mismatches"):
        simulate(module, "icarus", build, parameters, CORRUPT=str(CORRUPTED))


def _name(values: dict[str, int]) -> str:
    return "-".join(f"{name}{value}" for name, value in values.items()) or "default"
