"""What the benchmark asks of the PyTorch module: a training step, a whole training, decoding.

Needs torch, which is not among the requirements; one thread, as ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from configs.schema import Config, TrainConfig
from model import peer, runs
from model.optim import learning_rate
from model.peer.model import Layer, Model
from model.tasks import Task
from model.transformer import Params

Array = np.ndarray
WARM_UP = 20  # steps before and while the time of a step is taken
torch.set_num_threads(1)


def step(module: Model, tokens: Array, targets: Array, train: TrainConfig) -> Callable[[], None]:
    """A function that does forward, backward, clipping and fused AdamW once, on this batch."""
    optimizer = peer.optimizer(module, train)
    x, y = torch.from_numpy(tokens), torch.from_numpy(targets).long()

    def once() -> None:
        _step(module, optimizer, x, y, train)

    return once


def _step(module: Model, optimizer: Any, x: Any, y: Any, train: TrainConfig) -> None:
    optimizer.zero_grad()
    loss = F.cross_entropy(module(x).flatten(0, 1), y.flatten(), ignore_index=-1)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), train.clip)
    optimizer.step()


def train(config: Config, task: Task, seconds: float) -> tuple[Params, int]:
    """The config's recipe for a decoder, with as many steps as fit into `seconds` of CPU time:
    the parameters at the end, and the number of steps."""
    params = runs.fresh(config, task).params
    steps = WARM_UP
    for last in (False, True):
        module = peer.build(config.model, params, len(task.tokenizer.vocab))
        settings = config.train.model_copy(update={"steps": steps})
        optimizer = peer.optimizer(module, settings)
        start = time.process_time()
        for number in range(steps):
            batch = task.train_batch(runs.generator(settings.seed, runs.BATCH, number))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, number)
            x, y = (torch.from_numpy(array) for array in (batch.tokens, batch.targets))
            _step(module, optimizer, x, y.long(), settings)
        if not last:
            steps = max(1, int(seconds / ((time.process_time() - start) / steps)))
    return parameters(module, params), steps


@torch.inference_mode()
def generate(module: Model, prompt: Sequence[int], tokens: int) -> list[int]:
    """The likeliest tokens after a prompt, one by one, with a cache of keys and values; for a
    pre-norm decoder with learned positions, as the default one is."""
    assert module.positions is not None
    table, first = module.positions.weight, module.layers[0]
    shape = (1, first.kv_heads, len(table), first.d_head)
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in module.layers]
    result = list(prompt)
    for place in range(len(prompt) + tokens - 1):
        x = (module.embed.weight[result[place]] + table[place])[None, None]  # (1, 1, D)
        for layer, (keys, values) in zip(module.layers, caches, strict=True):
            x = _layer(layer, x, keys, values, place)
        x = module.final_norm(x)
        logits = F.linear(x, (module.head or module.embed).weight)
        if place >= len(prompt) - 1:
            result.append(int(logits.argmax()))
    return result[len(prompt) :]


def _layer(layer: Layer, x: Any, keys: Any, values: Any, place: int) -> Any:
    """One position (1, 1, D) through a layer; keys, values: (1, G, T, d_head)."""
    heads, kv = layer.heads, layer.kv_heads
    split = layer.qkv(layer.attn_norm(x)).unflatten(2, (heads + 2 * kv, -1)).transpose(1, 2)
    q, keys[:, :, place : place + 1], values[:, :, place : place + 1] = split.split(
        [heads, kv, kv], dim=1
    )
    seen = slice(place + 1)
    out = layer.mix(q, keys[:, :, seen], values[:, :, seen], None, False)
    x = x + layer.attn_proj(out)
    return x + layer.ffn(layer.ffn_norm(x))


def parameters(module: Model, like: Params) -> Params:
    """The module's parameters under our names and shapes."""
    result = like.like()
    for name, parameter in module.named_parameters():
        result[name][...] = peer.turned(name, parameter.detach().numpy())
    return result
