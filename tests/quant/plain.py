"""The integer machine once more, written from docs/numerics.md alone: Python integers and lists.

Nothing of quant.ops, quant.golden or NumPy's arithmetic is used; divisions stand where the other
implementation shifts. Slow, and meant to be: it keeps the fast one honest.
"""

from __future__ import annotations


def shr(x: int, s: int) -> int:
    return (x + (2**s) // 2) // 2**s


def flr(x: int, s: int) -> int:
    return x // 2**s


def sat(x: int, bits: int) -> int:
    top = 2 ** (bits - 1) - 1
    return -top if x < -top else top if x > top else x


def log2(x: int) -> int:
    n = 0
    while x >= 2 ** (n + 1):
        n += 1
    return n


def norm_scalar(s2: int, rsqrt: list[int]) -> tuple[int, int]:
    k = 0
    while 4 ** (k + 1) <= s2:
        k += 1
    return rsqrt[s2 * 64 // 4**k - 64], k


def recip_scalar(total: int, recip: list[int]) -> tuple[int, int]:
    k = log2(total)
    return recip[total * 64 // 2**k - 64], k


def requantize(acc: int, shift: int, m: int, e: int, bias: int, bits: int) -> int:
    a = sat(shr(acc, shift), 18)
    return sat((flr(a * m, e) + bias) // 16, bits)


def gelu(z: int, bump: list[int], shift: int) -> int:
    cell = abs(z) // 2**shift
    return (z if z > 0 else 0) - bump[cell if cell < 255 else 255]


def rotate(z: list[int], cos: list[int], sin: list[int], bits: int) -> list[int]:
    out = []
    for j, (c, s) in enumerate(zip(cos, sin, strict=True)):
        a, b = z[2 * j], z[2 * j + 1]
        out += [sat(shr(a * c - b * s, 14), bits), sat(shr(a * s + b * c, 14), bits)]
    return out


def probability(d: int, exp2: list[int]) -> int:
    octave = len(exp2)
    return shr(exp2[d % octave], min(d // octave, 31))


def xorshift(state: int) -> int:
    word = 2**32
    state = state ^ (state * 2**13) % word
    state = state ^ state // 2**17
    return state ^ (state * 2**5) % word


def start_state(seed: int) -> int:
    state = seed ^ 2654435769
    state = state or 2654435769
    for _ in range(16):
        state = xorshift(state)
    return state


def gumbel_index(v: int) -> int:
    bits = f"{v:032b}"
    zeros = min(bits.index("1"), 15)
    return zeros * 64 + int((bits[zeros + 1 :] + "0" * 32)[:6], 2)


class Machine:
    """Decoder over a QuantModel; `step` returns the same trace as the golden model, as lists."""

    def __init__(self, qm, temperature: int = 0, seed: int = 0) -> None:
        self.qm, self.c = qm, qm.config
        self.t = {n: None if t is None else t.tolist() for n, t in qm.tables.items()}
        self.keys = [[] for _ in qm.layers]  # [layer][position][channel]
        self.values = [[] for _ in qm.layers]
        self.temperature, self.state = temperature, start_state(seed)

    def linear(self, linear, x: list[int], scalar: tuple[int, int] = (2**15, 0)) -> list[int]:
        out = []
        for row, shift, bias in zip(
            linear.weight.tolist(), linear.shift.tolist(), linear.bias.tolist(), strict=True
        ):
            acc = sum(w * v for w, v in zip(row, x, strict=True))
            e = linear.exponent + scalar[1]
            out.append(requantize(acc, shift, scalar[0], e, bias, linear.out_bits))
        return out

    def bits(self, index: int, stage: str) -> int:
        return self.qm.formats[f"layers.{index}.{stage}"].bits

    def add(self, a: list[int], b: list[int]) -> list[int]:
        bits = self.qm.formats["embed"].bits
        return [sat(u + v, bits) for u, v in zip(a, b, strict=True)]

    def norm(self, x: list[int], eps: int) -> tuple[int, int]:
        return norm_scalar(sum(v * v for v in x) + eps, self.t["rsqrt"])

    def step(self, token: int, sample: bool) -> dict[str, list]:
        position = len(self.keys[0])
        x = self.qm.embed_tok[token].tolist()
        if self.qm.embed_pos is not None:
            row = self.qm.embed_pos[position].tolist()
            x = self.add(x, row)
        trace = {"embed": x}
        for index, layer in enumerate(self.qm.layers):
            x = self.block(index, layer, position, x, trace)
        final = self.norm(x, self.qm.eps_int)
        trace["final_norm"] = list(final)
        if sample:
            logits = self.linear(self.qm.head, x, final)
            noise = [self.noise() for _ in logits] if self.temperature else [0] * len(logits)
            scores = [a + b for a, b in zip(logits, noise, strict=True)]
            trace |= {"logits": logits, "noise": noise, "token": scores.index(max(scores))}
        return trace

    def noise(self) -> int:
        self.state = xorshift(self.state)
        return shr(self.t["gumbel"][gumbel_index(self.state)] * self.temperature, 12)

    def block(self, index: int, layer, position: int, x: list[int], trace: dict) -> list[int]:
        keep = {"attn_norm": self.norm(x, self.qm.eps_int)}
        for name in "qkv":
            keep[name] = self.linear(getattr(layer, name), x, keep["attn_norm"])
        if self.t["cos"] is not None:
            keep["q"] = self.turn(keep["q"], position, self.bits(index, "q"))
            keep["k"] = self.turn(keep["k"], position, self.bits(index, "k"))
        self.keys[index].append(keep["k"])
        self.values[index].append(keep["v"])
        self.attention(index, layer, keep)
        delta = self.linear(layer.o, keep["attn_out"])
        keep["attn_residual"] = self.add(x, delta)
        keep["ffn_norm"] = self.norm(keep["attn_residual"], self.qm.eps_int)
        z = self.linear(layer.up, keep["attn_residual"], keep["ffn_norm"])
        if self.c["activation"] == "relu":
            keep["ffn_hidden"] = [v if v > 0 else 0 for v in z]
        elif self.c["activation"] == "swiglu":
            gate = self.linear(layer.gate, keep["attn_residual"], keep["ffn_norm"])
            keep["ffn_gate"] = [gelu(v, self.t["bump"], self.qm.bump_shift) for v in gate]
            keep["ffn_up"], products = z, zip(keep["ffn_gate"], z, strict=True)
            bits = self.bits(index, "ffn_hidden")
            keep["ffn_hidden"] = [sat(shr(a * b, layer.hidden_shift), bits) for a, b in products]
        else:
            keep["ffn_hidden"] = [gelu(v, self.t["bump"], self.qm.bump_shift) for v in z]
        delta = self.linear(layer.down, keep["ffn_hidden"])
        keep["ffn_residual"] = self.add(keep["attn_residual"], delta)
        trace |= {f"layers.{index}.{name}": value for name, value in keep.items()}
        return keep["ffn_residual"]

    def turn(self, z: list[int], position: int, bits: int) -> list[int]:
        cos, sin = self.t["cos"][position], self.t["sin"][position]
        size = self.qm.d_head
        heads = [z[i : i + size] for i in range(0, len(z), size)]
        return [v for head in heads for v in rotate(head, cos, sin, bits)]

    def attention(self, index: int, layer, keep: dict) -> None:
        keep |= {name: [] for name in ("attn_scores", "attn_probs", "attn_recip", "attn_out")}
        size, n_heads = self.qm.d_head, self.c["n_heads"]
        served = n_heads // (self.c.get("n_kv_heads") or n_heads)
        for head in range(n_heads):
            here = slice(head * size, (head + 1) * size)
            there = slice(head // served * size, (head // served + 1) * size)
            scores = []
            for key in self.keys[index]:
                acc = sum(a * b for a, b in zip(keep["q"][here], key[there], strict=True))
                e = layer.scores_exponent
                scores.append(requantize(acc, layer.scores_shift, 2**15, e, 8, 16))
            probs = [probability(max(scores) - t, self.t["exp2"]) for t in scores]
            r, k = recip_scalar(sum(probs), self.t["recip"])
            for channel in range(there.start, there.stop):
                rows = self.values[index]
                acc = sum(p * row[channel] for p, row in zip(probs, rows, strict=True))
                e = layer.out_exponent + k
                out = requantize(acc, layer.out_shift, r, e, 8, self.bits(index, "attn_out"))
                keep["attn_out"].append(out)
            keep["attn_scores"].append(scores)
            keep["attn_probs"].append(probs)
            keep["attn_recip"].append([r, k])
