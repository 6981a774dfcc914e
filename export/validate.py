"""What the machine cannot serve, said in one line before anything is written."""

from __future__ import annotations

from configs.cli import UserError
from quant.qmodel import QuantModel

TOKENS_MAX = 2**16 - 1  # ids and their limit are 16-bit numbers, see hdl/top/controller.sv


def built(qm: QuantModel) -> dict[str, tuple[tuple, str]]:
    """Of each option of the section [model]: the values that the hardware serves, and in words."""
    n_heads = qm.config["n_heads"]
    return {
        "kind": (("decoder",), "'decoder'"),
        "activation": (("relu", "gelu", "gelu_exact", "silu"), "no gate, but ReLU, GELU, SiLU"),
        "n_kv_heads": ((None, n_heads), f"as many heads of keys as of queries, {n_heads}"),
    }


def check(qm: QuantModel) -> None:
    """Raise UserError unless the machine has the model's parts and its streams carry the tokens.

    `QuantModel.validate` has proved the integers; `Geometry.of` judges the array's shape.
    """
    for option, (values, known) in built(qm).items():
        value = qm.config.get(option, values[0])
        if value not in values:
            raise UserError(
                f"model.{option} = {value!r}: not yet in hardware, which has {known}; the golden "
                "model runs it (make quantize)"
            )
    if qm.vocab_size > TOKENS_MAX:
        raise UserError(
            f"vocabulary of {qm.vocab_size} tokens: the token streams carry at most {TOKENS_MAX}; "
            "take a text with fewer different words, or the tokenizer 'char'"
        )
