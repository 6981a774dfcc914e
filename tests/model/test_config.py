"""Configs: what cannot work is refused in one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import cli, files, schema


@pytest.mark.parametrize("name", schema.available())
def test_every_config_loads(name: str) -> None:
    assert schema.load(name).name == name


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("model", {"d_modle": 64}, "model.d_modle: unknown key"),
        ("model", {"d_model": 30, "n_heads": 4}, "not divisible by n_heads 4"),
        ("model", {"d_model": 12, "n_heads": 4, "positions": "rotary"}, "even"),
        ("model", {"norm": "batchnorm"}, "model.norm"),
        ("model", {"d_model": "64"}, "model.d_model"),
        ("model", {"n_layers": 0}, "model.n_layers"),
        ("data", {"tokenizer": "syllable"}, "data.tokenizer"),
        ("data", {"tokenizer": "bpe", "vocab_size": 255}, "data.vocab_size"),
        ("train", {"seq_len": 1000}, "longer than model.context"),
        ("train", {"learning_rate": -1.0}, "train.learning_rate"),
        ("quant", {"weight_bits": 9}, "quant.weight_bits"),
        ("hardware", {"rows": 1, "cols": 4}, "hardware.rows"),
        ("other", {}, "other: unknown key"),
    ],
)
def test_impossible_values(section: str, values: dict, said: str) -> None:
    with pytest.raises(schema.ConfigError, match=said) as caught:
        schema.parse("mine", {section: values})
    assert "\n" not in str(caught.value)
    assert "config 'mine'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("name = 'x'", "name"), ("[model", "mine.toml"), ("\udcff", "mine.toml"), (None, "no config")],
)
def test_unreadable_files(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(schema.ConfigError, match=said) as caught:
        schema.load(str(path))
    assert "\n" not in str(caught.value)


def test_a_text_of_ones_own_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    parser = cli.parser("x", "")
    parser.add_argument("--text")
    args = parser.parse_args(["--config", "tiny", "--text", str(tmp_path / "mine.txt")])
    config = cli.load_config(args)
    assert config.build_dir.name == "tiny-mine"
    assert config.data.text == str(tmp_path / "mine.txt")
    args = parser.parse_args(["--config", "digits", "--text", "mine.txt"])
    with pytest.raises(cli.UserError, match="--text"):
        cli.load_config(args)


@pytest.mark.parametrize(
    "words",
    ["tiny --seed 3", "--seed 3 tiny", "--config tiny --seed 3", "tiny --seed 3 --config tiny"],
)
def test_the_config_stands_anywhere(words: str) -> None:
    parser = cli.parser("x", "")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args(words.split())
    assert (args.config, args.seed) == ("tiny", 3)
    assert parser.parse_args([]).config == "stories"


def test_two_configs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parser("x", "").parse_args(["tiny", "--config", "stories"])
    assert capsys.readouterr().err.startswith("error: two configs, stories and tiny: name one")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_cannot_be_one_is_refused(seed: int) -> None:
    parser = cli.parser("x", "")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args(["--config", "tiny", "--seed", str(seed)])
    with pytest.raises(cli.UserError, match="choose one from 0 to 4294967295"):
        cli.load_config(args)


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parser("x", "").parse_args(["--frob"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "python -m x --help" in error


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "blocked"
    blocked.touch()
    with pytest.raises(SystemExit) as caught:
        cli.run(lambda: files.write_text(blocked / "x.json", ""))
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: '{blocked}")
    assert error.count("\n") == 1
