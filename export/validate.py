"""What the machine cannot serve, said in one line before anything is written."""

from __future__ import annotations

from configs.cli import UserError
from quant.qmodel import QuantModel

TOKENS_MAX = 2**16 - 1  # ids and their limit are 16-bit numbers, see hdl/top/controller.sv


def check(qm: QuantModel) -> None:
    """Raise UserError unless the streams and the controller can carry the model's tokens.

    `QuantModel.validate` has proved the integers; `Geometry.of` judges the array's shape.
    """
    if qm.vocab_size > TOKENS_MAX:
        raise UserError(
            f"vocabulary of {qm.vocab_size} tokens: the token streams carry at most {TOKENS_MAX}; "
            "take a text with fewer different words, or the tokenizer 'char'"
        )
