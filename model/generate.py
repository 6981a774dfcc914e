"""Generation with a KV cache: one token in, the logits of the next one out.

`python -m model.generate --help` shows the command line.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np

from configs import cli
from configs.cli import UserError
from configs.schema import ModelConfig
from model import checkpoint, layers, transformer
from model.tokenizer import Tokenizer

Array = np.ndarray


class Decoder:
    """Runs one sequence position by position; `step` at position `self.position`."""

    def __init__(self, params: transformer.Params, config: ModelConfig) -> None:
        dtype = params.flat.dtype
        self.params, self.config = params, config
        self.position = 0
        shape = (config.n_layers, config.n_heads, config.context, config.d_head)
        self.keys, self.values = np.zeros(shape, dtype), np.zeros(shape, dtype)
        self.table = transformer.position_table(params, config)
        self.turn = layers.rotary_table(config.context, config.d_head, dtype)
        self.head = np.ascontiguousarray(transformer.head_weight(params).T)  # (D, V)
        self.scale = dtype.type(1 / math.sqrt(config.d_head))

    def step(self, token: int) -> Array:
        """Read a token; logits (V,) of its successor."""
        if self.position >= self.config.context:
            raise ValueError(f"the context of {self.config.context} tokens is full")
        x = self.params["embed.weight"][token]  # (D,)
        if self.table is not None:
            x = x + self.table[self.position]
        for layer in range(self.config.n_layers):
            name = f"layers.{layer}."
            qkv = self._linear(name + "qkv", self._norm(name + "attn_norm", x))
            x = x + self._linear(name + "attn_proj", self._attend(layer, qkv))
            up = self._linear(name + "ffn_up", self._norm(name + "ffn_norm", x))
            hidden = np.maximum(up, 0) if self.config.activation == "relu" else layers.gelu(up)
            x = x + self._linear(name + "ffn_down", hidden)
        self.position += 1
        return self._norm("final_norm", x) @ self.head

    def _attend(self, layer: int, qkv: Array) -> Array:
        """qkv: (3D,) -> attention output (D,); puts k and v into the cache."""
        here = self.position
        qkv = qkv.reshape(3, self.config.n_heads, self.config.d_head)
        if self.config.positions == "rotary":
            layers.rotate(qkv[:2], self.turn[here : here + 1])
        self.keys[layer, :, here], self.values[layer, :, here] = qkv[1], qkv[2]
        keys = self.keys[layer, :, : here + 1]  # (H, t, d_head)
        scores = keys @ (qkv[0] * self.scale)[:, :, None]  # (H, t, 1)
        scores -= scores.max(axis=1, keepdims=True)
        probs = np.exp(scores, out=scores)
        out = probs.swapaxes(1, 2) @ self.values[layer, :, : here + 1]  # (H, 1, d_head)
        out /= probs.sum(axis=1, keepdims=True)
        return out.reshape(-1)

    def _linear(self, name: str, x: Array) -> Array:
        y = x @ self.params[name + ".weight"]
        bias = self.params.get(name + ".bias")
        return y if bias is None else y + bias

    def _norm(self, name: str, x: Array) -> Array:
        bias = self.params.get(name + ".bias")
        if self.config.norm == "layernorm":
            x = x - x.sum() / x.dtype.type(x.size)
        inv = 1 / math.sqrt(float(x @ x) / x.size + layers.NORM_EPS)
        y = x * x.dtype.type(inv) * self.params[name + ".weight"]
        return y if bias is None else y + bias


def choose(logits: Array, temperature: float, rng: np.random.Generator | None) -> int:
    """The next token: the most likely one at temperature 0, otherwise a draw from
    softmax(logits / temperature) by the Gumbel-max rule."""
    if temperature == 0 or rng is None:
        return int(logits.argmax())
    return int((logits / temperature + rng.gumbel(size=logits.shape)).argmax())


def generate(
    params: transformer.Params,
    config: ModelConfig,
    prompt: list[int],
    tokens: int,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
    stop_token: int | None = None,
) -> Iterator[int]:
    """Yield up to `tokens` tokens after the prompt; ends early after the stop token, or when the
    context is full (the token sampled at the last position is still yielded)."""
    check_prompt(prompt, config)
    decoder = Decoder(params, config)
    for token in prompt:
        logits = decoder.step(token)
    for count in range(1, tokens + 1):
        token = choose(logits, temperature, rng)
        yield token
        if token == stop_token or count == tokens or decoder.position == config.context:
            return
        logits = decoder.step(token)


def check_prompt(prompt: list[int], config: ModelConfig) -> None:
    """UserError unless the prompt has 1 to context tokens."""
    if not 1 <= len(prompt) <= config.context:
        raise UserError(
            f"the prompt has {len(prompt)} tokens; give 1 to {config.context} (the context)"
        )


def continuation(tokenizer: Tokenizer, prompt: list[int], ids: list[int]) -> str:
    """The text that prompt and generated ids make together."""
    return tokenizer.decode(prompt + ids)


def at_least(kind: type, least: float) -> Callable[[str], float]:
    """An argparse type: a number that is finite and no less than `least`."""

    def convert(text: str) -> float:
        value = kind(text)
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least} or more")
        return value

    convert.__name__ = kind.__name__
    return convert


def main() -> None:
    parser = cli.parser("model.generate", "Continue a prompt with the float model.")
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument("--prompt", help="text to continue (default: the config's)")
    parser.add_argument("--tokens", type=at_least(int, 1), default=64, help="most tokens to write")
    parser.add_argument(
        "--temperature", type=at_least(float, 0), default=0.0, help="0: always the likeliest token"
    )
    parser.add_argument("--seed", type=at_least(int, 0), default=1, help="of the random draws")
    args = parser.parse_args()
    config = cli.load_config(args)
    trained = checkpoint.load(config.build_dir / "model")
    text = trained.prompt if args.prompt is None else args.prompt
    prompt = trained.tokenizer.encode(text)
    ids = generate(
        trained.params,
        trained.config,
        prompt,
        args.tokens,
        args.temperature,
        np.random.default_rng(args.seed),
        trained.stop_token,
    )
    print(continuation(trained.tokenizer, prompt, list(ids)))


if __name__ == "__main__":
    cli.run(main)
