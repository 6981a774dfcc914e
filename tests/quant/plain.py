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
    cells = len(rsqrt) // 3
    return rsqrt[s2 * cells // 4**k - cells], k


def recip_scalar(total: int, recip: list[int]) -> tuple[int, int]:
    k = log2(total)
    return recip[total * len(recip) // 2**k - len(recip)], k


def requantize(acc: int, shift: int, m: int, e: int, bias: int, bits: int) -> int:
    a = sat(shr(acc, shift), 18)
    return sat((flr(a * m, e) + bias) // 16, bits)


def gelu(z: int, bump: list[int], shift: int) -> int:
    cell = abs(z) // 2**shift
    return (z if z > 0 else 0) - bump[cell if cell < len(bump) else -1]


def lift(h: int, zero: int, bits: int) -> int:
    return h + zero if h + zero < 2**bits else 2**bits - 1


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
    """A QuantModel of any kind; traces are those of the golden model, as lists.

    `step` decodes one token, `request` is what reading the source left; `answer` is an encoder's.
    """

    def __init__(self, qm, temperature: int = 0, seed: int = 0, source: list[int] | None = None):
        self.qm, self.c = qm, qm.config
        self.t = {n: None if t is None else t.tolist() for n, t in qm.tables.items()}
        self.keys = [[] for _ in qm.layers]  # [layer][position][channel]
        self.values = [[] for _ in qm.layers]
        self.temperature, self.state = temperature, start_state(seed)
        self.request = {} if source is None else self.read(source)

    def linear(self, linear, x: list[int], scalar: tuple[int, int] = (2**15, 0)) -> list[int]:
        out = []
        for row, shift, bias in zip(
            linear.weight.tolist(), linear.shift.tolist(), linear.bias.tolist(), strict=True
        ):
            acc = sum(w * v for w, v in zip(row, x, strict=True))
            e = linear.exponent + scalar[1]
            out.append(requantize(acc, shift, scalar[0], e, bias, linear.out_bits))
        return out

    def bits(self, stage: str) -> int:
        return self.qm.formats[stage].bits

    def add(self, a: list[int], b: list[int]) -> list[int]:
        return [sat(u + v, self.bits("embed")) for u, v in zip(a, b, strict=True)]

    def norm(self, x: list[int]) -> tuple[int, int]:
        return norm_scalar(sum(v * v for v in x) + self.qm.eps_int, self.t["rsqrt"])

    def embed(self, token: int, position: int) -> list[int]:
        row = self.qm.embed_tok[token].tolist()
        if self.qm.embed_pos is None:
            return row
        return self.add(row, self.qm.embed_pos[position].tolist())

    def step(self, token: int, sample: bool) -> dict[str, list]:
        position = len(self.keys[0])
        x = self.embed(token, position)
        trace = {"embed": x}
        for index, layer in enumerate(self.qm.layers):
            x = self.block(index, layer, position, x, trace)
        final = self.norm(x)
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
        name = f"layers.{index}."
        keep = self.qkv(name, layer, position, x)
        self.keys[index].append(keep[name + "k"])
        self.values[index].append(keep[name + "v"])
        q = keep[name + "q"]
        keep |= self.attend(name + "attn", layer, x, q, self.keys[index], self.values[index])
        x = keep[name + "attn_residual"]
        if layer.cross is not None:
            keep[name + "cross_norm"] = self.norm(x)
            keep[name + "cross_q"] = self.linear(layer.cross.q, x, keep[name + "cross_norm"])
            keys, values = (self.request[name + "cross_" + part] for part in "kv")
            q = keep[name + "cross_q"]
            keep |= self.attend(name + "cross", layer.cross, x, q, keys, values)
            x = keep[name + "cross_residual"]
        trace |= keep | self.ffn(name, layer, x)
        return trace[name + "ffn_residual"]

    def qkv(self, name: str, layer, position: int, x: list[int]) -> dict[str, list]:
        keep = {name + "attn_norm": self.norm(x)}
        for part in "qkv":
            linear = getattr(layer, part)
            z = self.linear(linear, x, keep[name + "attn_norm"])
            if part != "v" and self.t["cos"] is not None:
                z = self.turn(z, position, self.bits(name + part))
            keep[name + part] = z
        return keep

    def turn(self, z: list[int], position: int, bits: int) -> list[int]:
        cos, sin = self.t["cos"][position], self.t["sin"][position]
        size = self.qm.d_head
        heads = [z[i : i + size] for i in range(0, len(z), size)]
        return [v for head in heads for v in rotate(head, cos, sin, bits)]

    def attend(self, name: str, part, x, q, keys, values) -> dict[str, list]:
        """Attention of one query, and the residual after it."""
        keep = {f"{name}_{stage}": [] for stage in ("scores", "probs", "recip", "out")}
        size, n_heads = self.qm.d_head, self.c["n_heads"]
        served = n_heads // (self.c.get("n_kv_heads") or n_heads)
        for head in range(n_heads):
            here = slice(head * size, (head + 1) * size)
            there = slice(head // served * size, (head // served + 1) * size)
            scores = []
            for key in keys:
                acc = sum(a * b for a, b in zip(q[here], key[there], strict=True))
                e = part.scores_exponent
                scores.append(requantize(acc, part.scores_shift, 2**15, e, 8, 16))
            probs = [probability(max(scores) - t, self.t["exp2"]) for t in scores]
            r, k = recip_scalar(sum(probs), self.t["recip"])
            for channel in range(there.start, there.stop):
                acc = sum(p * row[channel] for p, row in zip(probs, values, strict=True))
                e = part.out_exponent + k
                out = requantize(acc, part.out_shift, r, e, 8, self.bits(name + "_out"))
                keep[name + "_out"].append(out)
            keep[name + "_scores"].append(scores)
            keep[name + "_probs"].append(probs)
            keep[name + "_recip"].append([r, k])
        keep[name + "_residual"] = self.add(x, self.linear(part.o, keep[name + "_out"]))
        return keep

    def ffn(self, name: str, layer, x: list[int]) -> dict[str, list]:
        norm, shift = self.norm(x), self.qm.bump_shift
        keep, z = {name + "ffn_norm": norm}, self.linear(layer.up, x, norm)
        if self.c["activation"] == "relu":
            hidden = [v if v > 0 else 0 for v in z]
        elif self.c["activation"] == "swiglu":
            gate = [gelu(v, self.t["bump"], shift) for v in self.linear(layer.gate, x, norm)]
            keep |= {name + "ffn_gate": gate, name + "ffn_up": z}
            bits, products = self.bits(name + "ffn_hidden"), zip(gate, z, strict=True)
            hidden = [sat(shr(a * b, layer.hidden_shift), bits) for a, b in products]
        else:
            fmt = self.qm.formats[name + "ffn_hidden"]
            hidden = [lift(gelu(v, self.t["bump"], shift), fmt.zero, fmt.bits) for v in z]
        residual = self.add(x, self.linear(layer.down, hidden))
        return keep | {name + "ffn_hidden": hidden, name + "ffn_residual": residual}

    def encode(self, prefix: str, layers, tokens: list[int]) -> dict[str, list]:
        """Every stage of an encoder, a list over the positions each; its last norm too."""
        rows = [self.embed(token, position) for position, token in enumerate(tokens)]
        trace = {prefix + "embed": rows}
        for index, layer in enumerate(layers):
            name = f"{prefix}layers.{index}."
            keep = [self.qkv(name, layer, position, x) for position, x in enumerate(rows)]
            keys, values = ([one[name + part] for one in keep] for part in "kv")
            for one, x in zip(keep, rows, strict=True):
                one |= self.attend(name + "attn", layer, x, one[name + "q"], keys, values)
                one |= self.ffn(name, layer, one[name + "attn_residual"])
            rows = [one[name + "ffn_residual"] for one in keep]
            trace |= {stage: [one[stage] for one in keep] for stage in keep[0]}
        return trace | {prefix + "final_norm": [self.norm(x) for x in rows]}

    def read(self, source: list[int]) -> dict[str, list]:
        """The encoder's stages, and keys and values of cross-attention, once for a request."""
        trace = self.encode("encoder.", self.qm.encoder, source)
        last = f"encoder.layers.{len(self.qm.encoder) - 1}.ffn_residual"
        rows = list(zip(trace[last], trace["encoder.final_norm"], strict=True))
        for index, layer in enumerate(self.qm.layers):
            for part in "kv":
                linear = getattr(layer.cross, part)
                stage = f"layers.{index}.cross_{part}"
                trace[stage] = [self.linear(linear, x, norm) for x, norm in rows]
        return trace

    def answer(self, tokens: list[int]) -> dict[str, list]:
        """Every stage of a model of kind "encoder", the logits of each position last."""
        trace = self.encode("", self.qm.layers, tokens)
        last = trace[f"layers.{len(self.qm.layers) - 1}.ffn_residual"]
        rows = zip(last, trace["final_norm"], strict=True)
        return trace | {"logits": [self.linear(self.qm.head, x, norm) for x, norm in rows]}
