"""Weights of others in, ours out: `python -m model.weights --help` shows the command line.

    gpt2    Hugging Face (matrices (in, out)), nanoGPT and minGPT (matrices (out, in))
    llama   Hugging Face (rotary halves), Meta and llama2.c (rotary pairs)

The layout is told by the names, the shape of the model by the tensors; only the number of heads is
not to be seen in either. Taken for granted: 1e-5 in the norms, and 10000 in rotary positions.
In `foreign/`, `tensorfile.py` and `llama2c.py` read files, `layouts.py` knows the names, and
`importing.py` makes a model of the project out of what is found.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from safetensors.numpy import save as to_safetensors

from configs import cli
from configs.cli import UserError
from configs.files import write_bytes
from configs.schema import ModelConfig
from model import checkpoint, transformer
from model.foreign import importing, llama2c, tensorfile
from model.foreign.layouts import (
    GELU,
    LLAMA_HF,
    Found,
    Tensors,
    flat,
    from_gpt2,
    from_llama,
    gpt2_views,
    llama_views,
)
from model.generate import at_least

PREFIXES = ("_orig_mod.", "module.", "transformer.", "model.")  # of wrappers
MASK = re.compile(r"\.attn\.(masked_)?bias$")  # GPT-2's causal mask
BUFFERS = re.compile(rf"({MASK.pattern}|rotary_emb\.inv_freq$|freqs_cis$)")  # no weights
DECODER: dict[str, Any] = {"kind": "decoder", "norm_position": "pre"}
GPT2_SHAPE = DECODER | {"norm": "layernorm", "positions": "learned"}
LLAMA_SHAPE = DECODER | {
    "norm": "rmsnorm",
    "activation": "swiglu",
    "positions": "rotary",
    "bias": False,
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "ours": {},
    "gpt2": GPT2_SHAPE | {"bias": True},
    "nanogpt": GPT2_SHAPE,
}
LAYOUTS |= {"llama": LLAMA_SHAPE}


# -- in ------------------------------------------------------------------------------------------
def load(
    path: Path, n_heads: int | None = None, context: int | None = None, gelu: str | None = None
) -> Found:
    """The model in a file of GPT-2's or Llama's layout.

    n_heads: of queries, needed unless the file tells it, as nanoGPT's .pt does; context: of Llama,
    whose tensors do not tell it (default 256); gelu: GPT-2's "exact" or "tanh", default by layout.
    """
    named, about = tensorfile.read(path)
    heads = about.get("n_head") if n_heads is None else n_heads
    if not isinstance(heads, int):
        raise UserError(f"'{path}' does not tell the number of heads: give it with --heads")
    bare = {_bare(name): array for name, array in named.items()}
    tensors = {name: array for name, array in bare.items() if not BUFFERS.search(name)}
    if "wte.weight" in tensors:
        # minGPT keeps its mask beside the weights; so did nanoGPT before PyTorch had attention.
        mingpt = not about and any(MASK.search(name) for name in bare)
        return from_gpt2(Tensors(path, tensors), heads, mingpt, gelu)
    if "embed_tokens.weight" in tensors:
        renamed = {_renamed(name, LLAMA_HF): array for name, array in tensors.items()}
        return from_llama(Tensors(path, renamed), heads, context, halves=True)
    if "tok_embeddings.weight" in tensors:
        return from_llama(Tensors(path, tensors), heads, context, halves=False)
    raise UserError(
        f"'{path}': neither GPT-2 (wte.weight) nor Llama (embed_tokens.weight, "
        f"tok_embeddings.weight); its tensors begin with {', '.join(sorted(tensors)[:3]) or '-'}"
    )


# -- out -----------------------------------------------------------------------------------------
def save(
    path: Path, params: transformer.Params, config: ModelConfig, layout: str = "ours"
) -> list[str]:
    """Write parameters as .safetensors under the names of `params.py`, or of another layout;
    the names written. UserError when a model of that layout cannot be so."""
    for option, value in LAYOUTS[layout].items():
        if (ours := getattr(config, option)) != value:
            raise UserError(f"layout {layout}: needs model.{option} {value!r}, not {ours!r}")
    if layout in ("gpt2", "nanogpt"):
        if config.activation not in ("gelu", "gelu_exact") or config.kv_heads != config.n_heads:
            raise UserError(f"layout {layout}: needs GELU, and as many heads of keys as of queries")
        views = gpt2_views(params, config, in_out=layout == "gpt2")
        views = {n if n == "lm_head.weight" else f"transformer.{n}": v for n, v in views.items()}
        if layout == "nanogpt":  # whose state_dict names a tied head too
            views["lm_head.weight"] = transformer.head_weight(params)
    elif layout == "llama":
        theirs = {meta: name for name, meta in LLAMA_HF.items()}
        views = {
            n if n.startswith("lm_head.") else f"model.{n}": view
            for meta, view in llama_views(params, config, halves=True).items()
            for n in [_renamed(meta, theirs)]
        }
    else:
        views = dict(params)
    write_bytes(path, to_safetensors({name: flat(view) for name, view in views.items()}))
    return list(views)


def _bare(name: str) -> str:
    """A name without the prefixes of wrappers."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _renamed(name: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        name = name.replace(old + ".", new + ".")
    return name


# -- command line --------------------------------------------------------------------------------
def main() -> None:
    parser = cli.parser("model.weights", "Read the weights of others, or write ours.", config=False)
    commands = parser.add_subparsers(dest="command", required=True)
    reader = commands.add_parser("import", help="a file of GPT-2's or Llama's layout -> build/NAME")
    reader.add_argument("file", type=Path, help=".safetensors, .pt, .pth, .bin (also llama2.c's)")
    reader.add_argument("--name", required=True, help="of the model: it comes to build/NAME")
    reader.add_argument("--heads", type=at_least(int, 1), help="of queries; llama2.c tells it")
    reader.add_argument("--context", type=at_least(int, 1), help="of Llama (default: 256)")
    reader.add_argument(
        "--gelu", choices=GELU, help="of GPT-2 (default: nanoGPT's is exact, the others' tanh)"
    )
    group = reader.add_mutually_exclusive_group()
    group.add_argument("--tokenizer", type=Path, help="tokenizer.json, or llama2.c's tok.bin")
    group.add_argument("--text", type=Path, help="what a model of characters was trained on")
    writer = commands.add_parser("export", help="the weights of a config -> .safetensors")
    cli.add_config(writer)
    writer.add_argument("file", type=Path, help="the .safetensors to write")
    writer.add_argument("--layout", choices=LAYOUTS, default="ours", help="whose names")
    args = parser.parse_args()
    (_import if args.command == "import" else _export)(args)


def _import(args: argparse.Namespace) -> None:
    if llama2c.is_model(args.file):
        if given := [f"--{name}" for name in ("heads", "context", "gelu") if getattr(args, name)]:
            raise UserError(f"{given[0]}: llama2.c's file says that itself")
        found = llama2c.load(args.file)
    else:
        found = load(args.file, args.heads, args.context, args.gelu)
    tokenizer = importing.tokenizer_of(args.tokenizer, args.text, len(found.params["embed.weight"]))
    path = importing.write(args.name, found, tokenizer, args.text)
    print(f"{found.described()}; use it with --config {path}")


def _export(args: argparse.Namespace) -> None:
    trained = checkpoint.load(cli.load_config(args).build_dir / "model")
    names = save(args.file, trained.params, trained.config, args.layout)
    c = trained.config
    print(
        f"{args.file}: {len(names)} tensors ({names[0]}, ...), {trained.params.flat.size} "
        f"parameters; {c.n_heads} heads, {c.activation}, 1e-5 in the norms"
    )


if __name__ == "__main__":
    cli.run(main)
