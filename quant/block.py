"""One layer of the golden model: its matrix steps and its activation, made ready once."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from quant import exact, ops, step
from quant.exact import Array
from quant.qmodel import Layer, QuantModel, StepInfo
from quant.step import Step
from quant.tail import Tail, start_max


class Block:
    """Steps from residual to residual, for one row (`block.o(x)`) and for many (`block.o.rows`)."""

    def __init__(
        self, qm: QuantModel, layer: Layer, prefix: str, about: dict[str, StepInfo]
    ) -> None:
        """prefix: "layers.0."; about: the matrix steps by name."""
        q, out, scores = (about[prefix + name] for name in ("q", "attn_out", "attn_scores"))
        self.layer, self.n_heads, self.d_head = layer, qm.config["n_heads"], qm.d_head
        self.qkv = Step([layer.q, layer.k, layer.v], q.x_max, q.k_max)
        self.o = Step([layer.o], about[prefix + "attn_residual"].x_max)
        down, signed = about[prefix + "ffn_residual"], qm.formats[prefix + "ffn_hidden"].signed
        self.down = Step([layer.down], down.x_max, signed=signed)
        self.scores = step.cached(layer.scores_shift, layer.scores_exponent, 16, scores.acc_max)
        out_bits = qm.formats[prefix + "attn_out"].bits
        self.out = step.cached(
            layer.out_shift, layer.out_exponent, out_bits, out.acc_max, out.k_max
        )
        self.hidden_bits = qm.formats[prefix + "ffn_hidden"].bits
        active, bump = layer.gate or layer.up, qm.tables["bump"]
        self.top = ops.limit(active.out_bits)
        codes = np.arange(-self.top, self.top + 1)
        values = ops.relu(codes) if bump is None else ops.gelu(codes, bump, qm.bump_shift)
        if layer.gate is None:
            values = ops.lift(values, qm.formats[prefix + "ffn_hidden"].zero, self.hidden_bits)
        self.activation = exact.real(values)  # of each code
        self.is_relu = bump is None and layer.gate is None
        up = [layer.up] if layer.gate is None else [layer.gate, layer.up]
        self.up = Step(up, q.x_max, q.k_max, low=0 if self.is_relu else None)

    @cached_property
    def row_out(self) -> Tail:
        """Of a single row, [H, d_head]; made when one comes."""
        return self.out.of_shape((self.n_heads, self.d_head))

    def mix_bound(self, total: int) -> int:
        """Bound on the sums of values for probabilities that add up to `total`."""
        return start_max(self.layer.out_shift, total * ops.limit(self.layer.v.out_bits))

    def hidden(self, z: list[Array]) -> dict[str, Array]:
        """Stages from the up-step's output, of SwiGLU gate and up [..., F], to ffn_hidden."""
        if self.is_relu:  # it was the lower end of the saturation
            return {"ffn_hidden": z[0]}
        active = self.activation.take(exact.index(z[0] + self.top))
        if self.layer.gate is None:
            return {"ffn_hidden": active.astype(z[0].dtype, copy=False)}
        hidden = exact.gated(active, z[1], self.layer.hidden_shift, self.hidden_bits)
        return {"ffn_gate": active, "ffn_up": z[1], "ffn_hidden": hidden}
