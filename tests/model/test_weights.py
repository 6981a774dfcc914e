"""Weights of others: each layout against a plain forward of its own, and damaged files."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

from configs import schema
from configs.cli import UserError
from configs.schema import ModelConfig
from model import ask, checkpoint, generate, look, train, transformer, weights
from model.foreign import importing, layouts, llama2c, tensorfile
from model.tokenizer import Tokenizer

Array = np.ndarray
Tensors = dict[str, Array]
D, F, HEADS, KV, LAYERS, VOCAB, CONTEXT = 16, 24, 4, 2, 2, 11, 10
TOKENS = np.random.default_rng(1).integers(0, VOCAB, (2, 8))


# -- plain forwards in the layouts' own conventions --------------------------------------------
def attend(q: Array, k: Array, v: Array) -> Array:
    """q: (B, T, H, d_head); k, v: (B, T, G, d_head) -> (B, T, D), one head after the other."""
    out = np.empty_like(q)
    for head in range(q.shape[2]):
        shared = head * k.shape[2] // q.shape[2]
        scores = q[:, :, head] @ k[:, :, shared].swapaxes(1, 2) / np.sqrt(q.shape[3])
        scores[:, np.triu(np.ones(scores.shape[1:], bool), 1)] = -np.inf
        probs = np.exp(scores)
        out[:, :, head] = probs / probs.sum(axis=2, keepdims=True) @ v[:, :, shared]
    return out.reshape(*q.shape[:2], -1)


def gpt2_logits(t: Tensors, tokens: Array) -> Array:
    """`t` in Hugging Face's convention, without prefix: y = x W + b."""

    def norm(x: Array, name: str) -> Array:
        normed = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return normed * t[name + ".weight"] + t[name + ".bias"]

    def linear(x: Array, name: str) -> Array:
        return x @ t[name + ".weight"] + t[name + ".bias"]

    x = t["wte.weight"][tokens] + t["wpe.weight"][: tokens.shape[1]]
    for layer in range(LAYERS):
        h = f"h.{layer}."
        qkv = linear(norm(x, h + "ln_1"), h + "attn.c_attn")
        heads = [part.reshape(*tokens.shape, HEADS, -1) for part in np.split(qkv, 3, axis=2)]
        x = x + linear(attend(*heads), h + "attn.c_proj")
        up = linear(norm(x, h + "ln_2"), h + "mlp.c_fc")
        gelu = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
        x = x + linear(gelu, h + "mlp.c_proj")
    return norm(x, "ln_f") @ t.get("lm_head.weight", t["wte.weight"]).T


def llama_logits(t: Tensors, tokens: Array) -> Array:
    """`t` in Hugging Face's names: y = W x, rotary positions on the halves of a head."""

    def norm(x: Array, name: str) -> Array:
        return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5) * t[name + ".weight"]

    def turn(x: Array) -> Array:
        half = x.shape[3] // 2
        speed = 10000.0 ** (-np.arange(half) / half)
        angle = (np.arange(x.shape[1])[:, None] * speed)[:, None]  # (T, 1, d_head/2)
        a, b = x[..., :half], x[..., half:]
        cos, sin = np.cos(angle), np.sin(angle)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=3)

    x = t["model.embed_tokens.weight"][tokens]
    for layer in range(LAYERS):
        name = f"model.layers.{layer}."
        normed = norm(x, name + "input_layernorm")
        q, k, v = (
            (normed @ t[f"{name}self_attn.{part}_proj.weight"].T).reshape(*tokens.shape, -1, 4)
            for part in "qkv"
        )
        x = x + attend(turn(q), turn(k), v) @ t[name + "self_attn.o_proj.weight"].T
        normed = norm(x, name + "post_attention_layernorm")
        gate = normed @ t[name + "mlp.gate_proj.weight"].T
        hidden = gate / (1 + np.exp(-gate)) * (normed @ t[name + "mlp.up_proj.weight"].T)
        x = x + hidden @ t[name + "mlp.down_proj.weight"].T
    return norm(x, "model.norm") @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T


def randoms(shapes: dict[str, tuple[int, ...]], seed: int) -> Tensors:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def gpt2(head: bool = False) -> Tensors:
    shapes = {"wte.weight": (VOCAB, D), "wpe.weight": (CONTEXT, D)}
    linears = {"attn.c_attn": (D, 3 * D), "attn.c_proj": (D, D)}
    linears |= {"mlp.c_fc": (D, F), "mlp.c_proj": (F, D)}
    norms = ["ln_f"]
    for layer in range(LAYERS):
        norms += [f"h.{layer}.ln_1", f"h.{layer}.ln_2"]
        for name, shape in linears.items():
            shapes[f"h.{layer}.{name}.weight"] = shape
            shapes[f"h.{layer}.{name}.bias"] = shape[1:]
    shapes |= {name + part: (D,) for name in norms for part in (".weight", ".bias")}
    return randoms(shapes | ({"lm_head.weight": (VOCAB, D)} if head else {}), 2)


def llama(head: bool = False) -> Tensors:
    kv = KV * D // HEADS
    parts = {"self_attn.q_proj": (D, D), "self_attn.k_proj": (kv, D), "self_attn.v_proj": (kv, D)}
    parts |= {"self_attn.o_proj": (D, D), "mlp.gate_proj": (F, D), "mlp.up_proj": (F, D)}
    parts |= {"mlp.down_proj": (D, F), "input_layernorm": (D,), "post_attention_layernorm": (D,)}
    shapes = {"model.embed_tokens.weight": (VOCAB, D), "model.norm.weight": (D,)}
    for layer in range(LAYERS):
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in parts.items()}
    return randoms(shapes | ({"lm_head.weight": (VOCAB, D)} if head else {}), 3)


def nano(t: Tensors) -> Tensors:
    """As nanoGPT and minGPT name and store them: (out, in), and the mask as a buffer."""
    result = {
        "transformer." + name if name != "lm_head.weight" else name: (
            np.ascontiguousarray(a.T) if ".c_" in name and a.ndim == 2 else a
        )
        for name, a in t.items()
    }
    return result | {"transformer.h.0.attn.bias": np.ones((1, 1, 4, 4), np.float32)}


def halves_to_pairs(rows: Array) -> Array:
    """Hugging Face's order of q and k rows -> Meta's: j, j + 2 -> 2j, 2j + 1 (d_head = 4)."""
    return rows.reshape(-1, 4, D)[:, [0, 2, 1, 3]].reshape(rows.shape)


def meta(t: Tensors) -> Tensors:
    """Meta's names, rotary pairs."""
    result = {}
    for name, array in t.items():
        moved = halves_to_pairs(array) if ".q_proj" in name or ".k_proj" in name else array
        for theirs, metas in layouts.LLAMA_HF.items():
            name = name.replace(theirs + ".", metas + ".")
        result[name.removeprefix("model.")] = moved
    return result


def llama2c_file(t: Tensors, vocab_size: int = VOCAB) -> bytes:
    m = meta(t)
    each = ["attention_norm", "attention.wq", "attention.wk", "attention.wv", "attention.wo"]
    each += ["ffn_norm", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"]
    arrays = [m["tok_embeddings.weight"]]
    for name in each:
        arrays += [m[f"layers.{layer}.{name}.weight"] for layer in range(LAYERS)]
    arrays += [m["norm.weight"], np.zeros((2, CONTEXT, 2), np.float32)]
    if "output.weight" in m:
        vocab_size = -vocab_size
        arrays.append(m["output.weight"])
    header = struct.pack("<7i", D, F, LAYERS, HEADS, KV, vocab_size, CONTEXT)
    return header + b"".join(a.astype("<f4").tobytes() for a in arrays)


def close(path: Path, expected: Array) -> None:
    params, config, _ = weights.load(path, HEADS, CONTEXT)
    logits = transformer.forward(params, TOKENS, config)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    decoder = generate.Decoder(params, config)
    for position, token in enumerate(TOKENS[0]):
        np.testing.assert_allclose(decoder.step(int(token)), expected[0, position], atol=1e-4)


@pytest.mark.parametrize("layout", [lambda t: t, nano], ids=["huggingface", "nanogpt"])
@pytest.mark.parametrize("head", [False, True])
def test_gpt2(tmp_path: Path, layout: Callable[[Tensors], Tensors], head: bool) -> None:
    tensors = gpt2(head)
    save_file(layout(tensors), tmp_path / "x.safetensors")
    close(tmp_path / "x.safetensors", gpt2_logits(tensors, TOKENS))


@pytest.mark.parametrize("layout", [lambda t: t, meta], ids=["huggingface", "meta"])
@pytest.mark.parametrize("head", [False, True])
def test_llama(tmp_path: Path, layout: Callable[[Tensors], Tensors], head: bool) -> None:
    tensors = llama(head)
    save_file(layout(tensors), tmp_path / "x.safetensors")
    close(tmp_path / "x.safetensors", llama_logits(tensors, TOKENS))


@pytest.mark.parametrize("head", [False, True])
def test_llama2c(tmp_path: Path, head: bool) -> None:
    tensors = llama(head)
    (tmp_path / "x.bin").write_bytes(llama2c_file(tensors))
    params, config, _ = llama2c.load(tmp_path / "x.bin")
    assert (config.kv_heads, config.context, config.tied_head) == (KV, CONTEXT, not head)
    logits = transformer.forward(params, TOKENS, config)
    np.testing.assert_allclose(logits, llama_logits(tensors, TOKENS), atol=1e-4)


def test_bfloat16(tmp_path: Path) -> None:
    tensors = {name: (a.view("<u4") & 0xFFFF0000).view("<f4") for name, a in llama().items()}
    about, data = {}, b""
    for name, array in tensors.items():
        half = (array.view("<u4") >> 16).astype("<u2").tobytes()
        span = [len(data), len(data) + len(half)]
        about[name] = {"dtype": "BF16", "shape": array.shape, "data_offsets": span}
        data += half
    header = json.dumps(about).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    close(tmp_path / "x.safetensors", llama_logits(tensors, TOKENS))


@pytest.mark.parametrize(
    ("file", "layout"),
    [
        (gpt2, "gpt2"),
        (lambda: gpt2(head=True), "gpt2"),
        (lambda: nano(gpt2(head=True)), "nanogpt"),
        (lambda: {n: a for n, a in nano(gpt2()).items() if ".bias" not in n}, "nanogpt"),
        (llama, "llama"),
        (lambda: llama(head=True), "llama"),
    ],
)
def test_export_gives_back_what_was_imported(
    tmp_path: Path, file: Callable[[], Tensors], layout: str
) -> None:
    """The same tensors under the same names, bit for bit; minGPT's mask is no weight."""
    path, again, tensors = tmp_path / "x.safetensors", tmp_path / "y.safetensors", file()
    save_file(tensors, path)
    found = weights.load(path, HEADS, CONTEXT)
    names = weights.save(again, found.params, found.config, layout)
    written = {
        name.removeprefix("transformer."): a for name, a in tensorfile.read(again)[0].items()
    }
    wanted = {
        name.removeprefix("transformer."): a
        for name, a in tensors.items()
        if not name.endswith(".attn.bias")
    }
    if layout == "nanogpt":
        wanted.setdefault("lm_head.weight", wanted["wte.weight"])
    assert len(names) == len(written)
    assert written.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(written[name], array, strict=True)
    gelu = "exact" if found.config.activation == "gelu_exact" else "tanh"
    back = weights.load(again, HEADS, CONTEXT, gelu if layout != "llama" else None)
    assert back.config == found.config
    np.testing.assert_array_equal(back.params.flat, found.params.flat)


def test_a_saved_file_has_our_names(tmp_path: Path) -> None:
    save_file(llama(), tmp_path / "x.safetensors")
    params, config, _ = weights.load(tmp_path / "x.safetensors", HEADS)
    weights.save(tmp_path / "ours.safetensors", params, config)
    again, _ = tensorfile.read(tmp_path / "ours.safetensors")
    assert again.keys() == params.keys()
    assert all(np.array_equal(again[name], params[name]) for name in params)


@pytest.mark.parametrize(
    ("options", "layout", "said"),
    [
        ({}, "llama", "layout llama: needs model.activation 'swiglu', not 'relu'"),
        ({}, "gpt2", "layout gpt2: needs model.norm 'layernorm', not 'rmsnorm'"),
        ({"norm": "layernorm"}, "gpt2", "layout gpt2: needs model.bias True, not False"),
        ({"norm": "layernorm"}, "nanogpt", "needs GELU"),
        ({"norm": "layernorm", "activation": "gelu", "n_kv_heads": 1}, "nanogpt", "heads of keys"),
        ({"kind": "encoder"}, "llama", "needs model.kind 'decoder'"),
    ],
)
def test_models_without_a_place_in_a_layout(
    tmp_path: Path, options: dict, layout: str, said: str
) -> None:
    config = ModelConfig(d_model=16, d_ff=8, n_layers=1, **options)
    with pytest.raises(UserError, match=said) as caught:
        weights.save(tmp_path / "x", transformer.empty(config, 5), config, layout)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_which_gelu(tmp_path: Path) -> None:
    path, plain = tmp_path / "x.safetensors", nano(gpt2())
    del plain["transformer.h.0.attn.bias"]
    for tensors, told, expected in (
        (gpt2(), "GPT-2 (Hugging Face)", "gelu"),
        (nano(gpt2()), "GPT-2 (minGPT)", "gelu"),
        (plain, "GPT-2 (nanoGPT)", "gelu_exact"),
    ):
        save_file(tensors, path)
        found = weights.load(path, HEADS)
        assert (found.layout, found.config.activation) == (told, expected)
        assert found.described().startswith(
            f"{told}: 2 layers, d_model 16, 4 heads, d_ff 24, context 10, activation {expected}, "
            "vocabulary 11, "
        )
        assert weights.load(path, HEADS, gelu="exact").config.activation == "gelu_exact"
        assert weights.load(path, HEADS, gelu="tanh").config.activation == "gelu"
    with pytest.raises(UserError, match="give it with --heads"):
        weights.load(path)


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("h.1.mlp.c_fc.bias", None, "h.1.mlp.c_fc.bias is missing"),
        ("h.1.mlp.c_fc.bias", np.zeros(3, np.float32), r"has shape \(3,\), expected \(24,\)"),
        ("h.0.mlp.c_fc.weight", np.zeros(3, np.float32), "expected 2 dimensions"),
        ("h.0.ln_1.bias", np.full(D, np.nan, np.float32), "h.0.ln_1.bias .* not all finite"),
        ("h.0.ln_1.bias", np.zeros(D, np.int32), "int32"),
        ("h.0.extra", np.zeros(D, np.float32), "1 tensors have no place: h.0.extra"),
        ("wte.weight", None, "neither GPT-2"),
    ],
)
def test_wrong_tensors(tmp_path: Path, name: str, array: Array | None, said: str) -> None:
    tensors = gpt2()
    tensors.pop(name, None)
    if array is not None:
        tensors[name] = array
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=said) as caught:
        weights.load(tmp_path / "x.safetensors", HEADS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("heads", [0, 3, 32, -4])
@pytest.mark.parametrize("tensors", [gpt2, llama])
def test_wrong_heads(tmp_path: Path, tensors: Callable[[], Tensors], heads: int) -> None:
    save_file(tensors(), tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="heads"):
        weights.load(tmp_path / "x.safetensors", heads)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="no file"):
        weights.load(path, HEADS)
    save_file(gpt2(), path)
    whole = path.read_bytes()
    for data in (b"", whole[:100], whole[:-4], b"\xff" * 64):
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read as safetensors"):
            weights.load(path, HEADS)
    torch_file = tmp_path / "x.pt"
    torch_file.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="PyTorch"):
        weights.load(torch_file, HEADS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:20], "20 bytes, expected a header of 28"),
        (lambda data: data[:-4], "expected [0-9]+ by its header"),
        (lambda data: data + b"1234", "expected [0-9]+ by its header"),
        (lambda data: struct.pack("<i", 0) + data[4:], "dim 0: expected 1 or more"),
        (lambda data: struct.pack("<i", 17) + data[4:], "n_heads 4.*dim 17"),
        (lambda data: struct.pack("<i", 2**31 - 4) + data[4:], "by its header"),
        (lambda data: data[:-400] + b"\xff" * 400, "tok|norm|w3"),
    ],
)
def test_damaged_llama2c(tmp_path: Path, change: Callable[[bytes], bytes], said: str) -> None:
    (tmp_path / "x.bin").write_bytes(change(llama2c_file(llama())))
    with pytest.raises(UserError, match=said) as caught:
        llama2c.load(tmp_path / "x.bin")
    assert "\n" not in str(caught.value)


def tokenizer_file() -> bytes:
    """Special tokens, the 256 bytes, single characters, and three merges."""
    pieces = [(b"<unk>", 0.0), (b"<s>", 0.0), (b"</s>", 0.0)]
    pieces += [(b"<0x%02X>" % byte, 0.0) for byte in range(256)]
    pieces += [(c.encode(), -9.0) for c in " abc"]
    pieces += [(b"ab", -2.0), (b"bc", -1.0), (b" a", -3.0)]
    body = b"".join(struct.pack("<fi", score, len(p)) + p for p, score in pieces)
    return struct.pack("<i", 6) + body


def test_llama2c_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tok.bin"
    path.write_bytes(tokenizer_file())
    tokenizer = llama2c.load_tokenizer(path)
    names = [tokenizer.vocab[i] for i in tokenizer.encode("abc")]
    assert names == ["<s>", " a", "bc"]  # bc first: its score is the best
    whole = tokenizer_file()
    for data in (b"", whole[:-1], whole[:50], whole[:11], whole[:8] + b"\xff\xff\xff\x7f"):
        path.write_bytes(data)
        with pytest.raises(UserError, match="token"):
            llama2c.load_tokenizer(path)
    path.write_bytes(whole[:-2] + b"\xff\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        llama2c.load_tokenizer(path)


def test_whose_bin_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(llama2c_file(llama()))
    assert llama2c.is_model(path)
    assert not llama2c.is_model(tmp_path / "x.pt")
    for begin in (b"PK\x03\x04", b"\x80\x02\x8a"):  # what PyTorch writes, and wrote
        path.write_bytes(begin + bytes(100))
        assert not llama2c.is_model(path)
        with pytest.raises(UserError, match=r"PyTorch|damaged"):
            weights.load(path, HEADS)


# -- the command ---------------------------------------------------------------------------------
def run(module: ModuleType, *words: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["x", *words])
        module.main()


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path / "build")
    return tmp_path / "build"


def test_llama2c_becomes_a_model_of_ours(
    tmp_path: Path, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = 3 + 256 + 7
    tensors = llama()
    tensors["model.embed_tokens.weight"] = randoms({"x": (size, D)}, 4)["x"]
    (tmp_path / "stories.bin").write_bytes(llama2c_file(tensors, size))
    (tmp_path / "tok.bin").write_bytes(tokenizer_file())
    words = ["import", str(tmp_path / "stories.bin"), "--name", "mine"]
    capsys.readouterr()
    run(weights, *words, "--tokenizer", str(tmp_path / "tok.bin"))
    config = str(build / "mine" / "mine.toml")
    told = capsys.readouterr().out
    assert told.startswith("Llama (llama2.c): 2 layers, d_model 16, 4 heads (2 of keys), d_ff 24, ")
    assert told.endswith(f"; use it with --config {config}\n")
    trained = checkpoint.load(build / "mine" / "model")
    assert trained.config == schema.load(config).model
    tokens = trained.tokenizer.encode("abc")
    logits = transformer.forward(trained.params, np.array([tokens]), trained.config)[0]
    np.testing.assert_allclose(logits, llama_logits(tensors, np.array([tokens]))[0], atol=1e-4)

    run(generate, "--config", config, "--prompt", "abc", "--tokens", "3")
    assert capsys.readouterr().out.startswith("abc")
    run(look, "--config", config, "--prompt", "abc")
    assert "\n<s> │" in capsys.readouterr().out
    run(ask, "--config", config, "--prompt", "abc", "--tokens", "3")
    assert capsys.readouterr().out.count("%") == ask.MOST
    with pytest.raises(UserError, match="holds imported weights"):
        run(train, "--config", config)
    np.testing.assert_array_equal(
        checkpoint.load(build / "mine" / "model").params.flat, trained.params.flat
    )

    run(weights, "export", "--config", config, "--layout", "llama", str(tmp_path / "y.safetensors"))
    written, _ = tensorfile.read(tmp_path / "y.safetensors")
    assert written.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(written[name], array, strict=True)


def test_a_model_of_characters(tmp_path: Path, build: Path) -> None:
    file, text = tmp_path / "x.safetensors", tmp_path / "text.txt"
    save_file(gpt2(), file)
    text.write_text("hello, world, \"'\n", encoding="utf-8")
    words = ["import", str(file), "--heads", "4", "--name", "chars", "--text", str(text)]
    with pytest.raises(UserError, match="has 12 tokens: the model needs 11"):
        run(weights, *words)
    text.write_text("hello, world'!", encoding="utf-8")
    run(weights, *words)
    trained = checkpoint.load(build / "chars" / "model")
    assert trained.tokenizer.vocab == tuple(" !',dehlorw")
    assert trained.prompt == "hell"
    assert schema.load(str(build / "chars" / "chars.toml")).data.text == str(text)
    stage, done = (build / "chars" / "stages" / name for name in ("train.json", "trained"))
    assert stage.stat().st_mtime_ns <= done.stat().st_mtime_ns  # make has nothing to train
    run(weights, *words)  # again: nothing of it was trained
    checkpoint.save(build / "chars" / "model", dataclasses.replace(trained, step=1))
    with pytest.raises(UserError, match="holds a model that was trained; choose another --name"):
        run(weights, *words)


def test_a_tokenizer_json_with_a_token_that_ends_texts(tmp_path: Path, build: Path) -> None:
    library = Tokenizer.of("a story", "bpe").to_dict()["tokenizer"]
    end = len(library["model"]["vocab"])
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    library["added_tokens"] = [{"id": end, "content": "</s>", "special": True} | flags]
    (tmp_path / "tokenizer.json").write_text(json.dumps(library))
    tokenizer = importing.tokenizer_of(tmp_path / "tokenizer.json", None, end + 1)
    config = ModelConfig(d_model=16, d_ff=8, n_layers=1)
    found = layouts.Found(transformer.empty(config, end + 1), config, "GPT-2")
    importing.write("ended", found, tokenizer)
    trained = checkpoint.load(build / "ended" / "model")
    assert trained.stop_token == end
    ids = trained.tokenizer.encode("a story")
    assert trained.tokenizer.decode([*ids, end]) == "a story"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "new"], "give --tokenizer .* or --text.*pickle"),
        (["--name", "new", "--tokenizer", "bad.json"], "expected a tokenizer.json"),
        (["--name", "new", "--tokenizer", "no.bin"], "no.bin': No such file"),
        (["--name", "stories", "--text", "t.txt"], "there is a config of that name"),
        (["--name", "a/b", "--text", "t.txt"], "choose letters, digits"),
    ],
)
def test_what_import_refuses(
    tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file(gpt2(), "x.safetensors")
    Path("bad.json").write_text("{}")
    Path("t.txt").write_text("hello, world'!")
    with pytest.raises(UserError, match=said) as caught:
        run(weights, "import", "x.safetensors", "--heads", "4", *words)
    assert "\n" not in str(caught.value)
    assert not build.exists()
