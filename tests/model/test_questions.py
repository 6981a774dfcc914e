"""Questions: right answers, splits that share nothing, batches for every kind of model, and models
that learn them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import DataConfig
from model import ask, checkpoint, evaluate, generate, guard, questions, runs, tasks, train
from tests.model.helpers import digits_config, question_config

ALL = ["First", "Second", "Last", "Max", "Min", "Add"]
CASES = {
    "digits": {},
    "99": {"largest": 99},
    "arguments": {"operations": ALL, "max_arguments": 8},
    "nested": {"operations": ALL, "depth": 3, "min_arguments": 2},
    "nested99": {"operations": ALL, "depth": 2, "largest": 99},
    "all": {"operations": ["Add", "Max"], "largest": 3, "min_arguments": 1},  # 168 in all
    "copy": {"task": "copy"},
    "identity": {"task": "identity", "length": 1},  # 26 in all
    "reverse": {"task": "reverse", "length": 6},
}


def data_of(case: str) -> DataConfig:
    return question_config(data=CASES[case]).data


def right(question: str, data: DataConfig) -> str:
    """The answer, by Python's own arithmetic and strings."""
    words = question.split()
    if data.task != "digits":
        return " ".join(reversed(words) if data.task == "reverse" else words)
    if data.largest > 9:
        python = re.sub(r"(?<=\d) (?=\d)", "", question)
    else:
        python = re.sub(r"(?<=[\d)]) (?=[\dA-Z])", ",", question)
    names = {
        "First": lambda *n: n[0],
        "Second": lambda *n: n[1],
        "Last": lambda *n: n[-1],
        "Max": lambda *n: sorted(n)[-1],
        "Min": lambda *n: sorted(n)[0],
        "Add": lambda *n: sum(n),
    }
    return " ".join(str(eval(python, names)))


@pytest.mark.parametrize("case", CASES)
def test_answers(case: str) -> None:
    data = data_of(case)
    asked = questions.ask(data, seed=1)
    assert len({one.text for one in asked}) == len(asked)
    assert len(asked) == {"all": 168, "identity": 26}.get(case, data.examples)
    assert {word for one in asked for word in one.text.split()} <= set(questions.words(data))
    for one in asked:
        assert one.answer == right(one.text, data)
    assert questions.ask(data, seed=1) == asked
    if case not in ("all", "identity"):
        assert questions.ask(data, seed=2) != asked


@pytest.mark.parametrize("case", ["nested", "arguments", "all"])
def test_drawn_and_enumerated_are_of_one_space(case: str) -> None:
    """A space small enough to see whole: drawing finds all of it, and nothing else."""
    data = data_of(case).model_copy(
        update={"operations": ["Max", "Add"], "largest": 1, "min_arguments": 1, "max_arguments": 2}
    )
    every = list(questions.expressions(data))
    assert len(set(every)) == len(every) == questions.count(data)
    rng = questions.Random(3)
    drawn = {questions.draw(data, rng) for _ in range(30 * min(len(every), 300))}
    assert drawn <= set(every)
    assert len(every) > 300 or len(drawn) == len(every)


def test_the_digits_are_what_they_were() -> None:
    task = tasks.load(digits_config())
    assert len(task._train.tokens) == 4500
    assert len(task.questions) == 500
    assert task.validation.tokens.shape == (500, 8)
    assert " ".join(task.tokenizer.vocab) == (
        "( ) -> 0 1 2 3 4 5 6 7 8 9 <eos> First Last Max Min Second"
    )
    batch = task.train_batch(np.random.default_rng(1))
    assert (batch.targets[:, :-2] == tasks.NO_LOSS).all()
    np.testing.assert_array_equal(batch.targets[:, -2], batch.tokens[:, -1])


def lines(batch: tasks.Batch, task: tasks.QuestionTask, kind: str) -> list[tuple[str, str]]:
    """Question and answer of each row, from the arrays alone, which are checked on the way."""
    result = []
    for row, targets in enumerate(batch.targets):
        tokens, aims = batch.tokens[row], np.flatnonzero(targets != tasks.NO_LOSS)
        assert (np.diff(aims) == 1).all()
        answer = targets[aims]
        end = aims[-1] + 1
        assert (tokens[end:] == task.stop_token).all()
        if kind == "encoder":
            assert len(answer) == 1
            np.testing.assert_array_equal(batch.mask[row], np.arange(len(tokens)) < end)
            question = tokens[:end]
        else:
            assert answer[-1] == task.stop_token
            np.testing.assert_array_equal(tokens[aims[0] + 1 : end], answer[:-1])
            question, answer = tokens[: aims[0] + 1], answer[:-1]
        words = task.tokenizer.decode(question).split()
        assert words.pop() == questions.ARROW
        if kind == "encoder-decoder":
            assert not words
            real = batch.source_mask[row]
            assert real[: real.sum()].all()
            assert (batch.source[row, ~real] == task.stop_token).all()
            words = task.tokenizer.decode(batch.source[row, real]).split()
        result.append((" ".join(words), task.tokenizer.decode(answer)))
    return result


KIND_CASES = [
    *[("decoder", case) for case in CASES],
    *[("encoder-decoder", case) for case in CASES],
    ("encoder", "digits"),
    ("encoder", "small"),
    ("encoder", "deep"),
]
CASES_OF_ENCODERS = {
    "small": {"operations": ["Max"], "largest": 3, "min_arguments": 1},
    "deep": {"depth": 2, "max_arguments": 4},
}


@pytest.mark.parametrize(("kind", "case"), KIND_CASES)
def test_batches(kind: str, case: str) -> None:
    """Held-out and training lines share no question; each is right, and padded as it must be."""
    config = question_config(kind, (CASES | CASES_OF_ENCODERS)[case])
    config = config.model_copy(update={"model": config.model.model_copy(update={"context": 99})})
    task = tasks.load(config)
    train_lines = lines(task._train, task, kind)
    held_out = lines(task.validation, task, kind)
    assert not {text for text, _ in train_lines} & {text for text, _ in held_out}
    every = {(one.text, one.answer) for one in questions.ask(config.data, tasks.DATA_SEED)}
    assert {*train_lines, *held_out} == every
    assert len(held_out) == max(round(0.1 * len(every)), 1) == len(task.groups)
    told = [
        (task.tokenizer.decode(q[:-1]), task.tokenizer.decode(a if kind == "encoder" else a[:-1]))
        for q, a in zip(task.questions, task.answers, strict=True)
    ]
    assert told == held_out
    batch = task.train_batch(np.random.default_rng(1))
    assert set(lines(batch, task, kind)) <= set(train_lines)
    assert (batch.targets[:, -1] >= 0).any(), "no column is padding in all rows"
    assert batch.source_mask is None or batch.source_mask[:, -1].any()
    assert batch.tokens.dtype == batch.targets.dtype == np.int32


def test_whatever_the_seed_the_same_is_held_out() -> None:
    """Quantisation asks unseen questions, and does not know the seed of the training."""
    first, second = (
        tasks.load(question_config(data={"largest": 99}, seed=seed)).questions for seed in (1, 2)
    )
    assert first == second


def test_no_more_are_held_out_than_tell_something() -> None:
    task = tasks.load(question_config(data={"largest": 99, "examples": 12000}))
    assert len(task.questions) == tasks.MOST_HELD_OUT
    assert len(task._train.tokens) == 11000


def test_something_is_left_to_learn() -> None:
    task = tasks.load(question_config(data={"validation": 0.999, "task": "copy", "length": 1}))
    assert len(task.questions) == 25
    assert len(task._train.tokens) == 1


def test_groups() -> None:
    assert set(tasks.load(question_config()).groups) <= set(ALL)
    strings = tasks.load(question_config("encoder-decoder", {"task": "reverse", "length": 6}))
    for question, group in zip(strings.questions, strings.groups, strict=True):
        assert group == (" 1 to  4 letters" if len(question) <= 5 else " 5 to  6 letters")


# -- what cannot be ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("decoder", {"min_arguments": 4}, "min_arguments 4 is above max_arguments 3"),
        ("decoder", {"operations": []}, "data.operations"),
        ("decoder", {"operations": ["Median"]}, "'First', 'Second', 'Last', 'Max', 'Min' or 'Add'"),
        ("decoder", {"operations": ["Max", "Max"]}, "name each once"),
        ("decoder", {"min_arguments": 1}, "Second needs min_arguments 2"),
        ("decoder", {"depth": 0}, "data.depth"),
        ("decoder", {"length": 0}, "data.length"),
        ("decoder", {"task": "sort"}, "data.task"),
        ("encoder", {"largest": 10}, "data.largest 9 or less"),
        ("encoder", {"operations": ["Add"]}, "no operation Add"),
        ("encoder", {"task": "copy"}, "the task 'copy' has more; make it 'encoder-decoder'"),
        ("encoder", {"task": "text"}, "'encoder' cannot learn the task 'text'"),
        ("encoder-decoder", {"task": "text"}, "'encoder-decoder' cannot learn the task 'text'"),
    ],
)
def test_options_that_do_not_fit(kind: str, data: dict, said: str) -> None:
    with pytest.raises(schema.ConfigError, match=said) as caught:
        question_config(kind, data)
    assert "\n" not in str(caught.value)


def test_an_encoder_writes_no_samples() -> None:
    with pytest.raises(schema.ConfigError, match=r"make train\.sample_tokens 0"):
        question_config("encoder", sample_tokens=5)


def test_old_configs_are_dumped_as_before() -> None:
    assert list(question_config(data={"examples": 20000}).data.model_dump()) == [
        *("task", "text", "tokenizer", "validation", "prompt")
    ]


@pytest.mark.parametrize(
    ("kind", "data", "needed"),
    [
        ("decoder", {}, 8),
        ("encoder", {}, 7),
        ("encoder-decoder", {"task": "copy", "length": 16}, 17),
        ("encoder-decoder", {"max_arguments": 5, "examples": 4000}, 8),
    ],
)
def test_a_context_too_short(kind: str, data: dict, needed: int) -> None:
    config = question_config(kind, data)
    for context in (needed - 1, needed):
        model = config.model.model_copy(update={"context": context})
        changed = config.model_copy(update={"model": model})
        if context == needed:
            tasks.load(changed)
            continue
        with pytest.raises(UserError, match=f"make it {needed} or more") as caught:
            tasks.load(changed)
        assert "\n" not in str(caught.value)


# -- what people type --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "text", "words"),
    [
        ("digits", "Max ( 5 3 9 ) ->", "Max ( 5 3 9 )"),
        ("digits", "max(5,3,9)", "Max ( 5 3 9 )"),
        ("digits", "Max 5 3 9", "Max ( 5 3 9 )"),
        ("99", "Max(42, 7, 99)", "Max ( 4 2 , 7 , 9 9 )"),
        ("99", "Max ( 4 2 , 7 , 9 9 ) ->", "Max ( 4 2 , 7 , 9 9 )"),
        ("99", "Min 42 7 99", "Min ( 4 2 , 7 , 9 9 )"),
        ("nested", "Max(First(2 8), Second(5 1))", "Max ( First ( 2 8 ) Second ( 5 1 ) )"),
        ("nested", "Add ( 1 Add ( 2 3 ) )", "Add ( 1 Add ( 2 3 ) )"),
        ("nested99", "Add(42, 7, Max(9 9, 1, 2))", "Add ( 4 2 , 7 , Max ( 9 9 , 1 , 2 ) )"),
        ("arguments", "Add 1 2 3 4 5 6 7 8", "Add ( 1 2 3 4 5 6 7 8 )"),
        ("copy", "hello", "h e l l o"),
        ("reverse", " c a t ->", "c a t"),
    ],
)
def test_questions_in_any_spelling(case: str, text: str, words: str) -> None:
    assert questions.read(text, data_of(case)) == words


@pytest.mark.parametrize("case", CASES)
def test_every_question_can_be_typed(case: str) -> None:
    data = data_of(case)
    for one in questions.ask(data, seed=1)[:100]:
        assert questions.read(f"{one.text} ->", data) == one.text
        typed = one.text.replace(" ", "") if data.largest > 9 or data.task != "digits" else one.text
        assert questions.read(typed, data) == one.text


@pytest.mark.parametrize(
    ("case", "text"),
    [
        *[("digits", text) for text in ("", "Max", "Max ( 5 3 )", "Max ( 5 3 10 )", "1 2 3", "->")],
        *[("digits", text) for text in ("Sum ( 1 2 3 )", "Max 1 2 ٣", "Max(1 2 3", "Max(1 2 3))")],
        *[("digits", text) for text in ("Max(1 2 Max(1 2 3))", "Max(1 2 -3)", "Add(1 2 3)", "(")],
        ("99", "Max(100, 1, 2)"),
        ("99", "Max(1, 2 Max(1, 2, 3), 4)"),
        ("arguments", "Max(1 2 3 4 5 6 7 8 9)"),
        ("nested", "Max(1 2)"),
        ("nested", "Max(1 Max(1 Max(1 Max(1 2))))"),
        ("nested", "Max(" * 5000),
        ("copy", ""),
        ("copy", "Hello"),
        ("reverse", "letters"),
    ],
)
def test_what_is_no_question(case: str, text: str) -> None:
    with pytest.raises(UserError, match="ask like") as caught:
        questions.read(text, data_of(case))
    assert "\n" not in str(caught.value)
    example = re.search("`(.*)`", str(caught.value))[1]
    assert questions.read(example, data_of(case))


# -- models ------------------------------------------------------------------------------------
TINY = {
    "decoder": {"operations": ["First", "Last"], "largest": 12, "examples": 2000},
    "encoder": {"operations": ["First", "Last"], "min_arguments": 2, "examples": 2000},
    "encoder-decoder": {"operations": ["First", "Last"], "largest": 12, "examples": 2000},
}


@pytest.fixture(scope="module", params=TINY)
def learnt(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[schema.Config, Path]:
    """A model of each kind that has learned a small task, in `build/asked/model`."""
    kind = request.param
    config = question_config(
        kind, TINY[kind], steps=400, batch_size=32, eval_every=200, warmup_steps=20
    )
    model = config.model.model_copy(update={"d_model": 16, "d_ff": 32})
    config = config.model_copy(update={"model": model})
    folder = tmp_path_factory.mktemp("build") / "asked" / "model"
    train.train(config, folder, quiet=True)
    return config, folder


def test_each_kind_learns(learnt: tuple[schema.Config, Path]) -> None:
    """Teacher-forced and token by token the same rows are right; of random weights hardly any."""
    config, folder = learnt
    task, trained = tasks.load(config), checkpoint.load(folder)
    hits = evaluate.hits(trained.params, task, config.model)
    exact = evaluate.autoregressive(trained.params, task, config.model)
    np.testing.assert_array_equal(exact, hits)
    assert exact.mean() >= 0.9
    counts = evaluate.accuracy(trained, task)
    assert list(counts) == ["First", "Last"]
    assert sum(right for right, _ in counts.values()) == exact.sum()
    assert f"unseen questions: {exact.sum()} of {len(exact)}" in evaluate.bars(counts)
    wrong = runs.fresh(config, task).params
    assert evaluate.hits(wrong, task, config.model).mean() < 0.3
    assert evaluate.autoregressive(wrong, task, config.model).mean() < 0.3


def test_asking_each_kind(learnt: tuple[schema.Config, Path]) -> None:
    config, folder = learnt
    trained = checkpoint.load(folder)
    data = config.data
    text = "Last(3, 4, 7)" if data.largest == 9 else "Last(3, 4, 12)"
    answer, *bars = ask.answer_question(trained, text, data, tokens=8).splitlines()
    assert answer == ("  7" if data.largest == 9 else "  12")
    assert len(bars) == ask.MOST
    assert bars[0].split()[0] == ("'7'" if data.largest == 9 else "'1'")
    with pytest.raises(UserError, match="ask like"):
        ask.answer_question(trained, "Last", data, tokens=8)


def test_generating_with_each_kind(
    learnt: tuple[schema.Config, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    config, folder = learnt
    monkeypatch.setattr(schema, "BUILD_DIR", folder.parent.parent)
    toml = tmp_path / "asked.toml"
    toml.write_text('[data]\ntask = "digits"\n')
    monkeypatch.setattr(
        sys, "argv", ["generate", "--config", str(toml), "--prompt", "Last ( 3 , 4 , 1 2 ) ->"]
    )
    if config.model.kind == "encoder":
        sys.argv[-1] = "Last ( 3 4 2 ) ->"
        with pytest.raises(UserError, match="make try"):
            generate.main()
        return
    generate.main()
    written = capsys.readouterr().out
    assert written == "Last ( 3 , 4 , 1 2 ) -> 1 2 <eos>\n"
    trained = checkpoint.load(folder)
    if config.model.kind == "encoder-decoder":
        with pytest.raises(UserError, match="what comes before `->` has 33 tokens"):
            generate.read(trained, "1 " * 33 + "->")
        with pytest.raises(UserError, match="what comes before `->` has 0 tokens"):
            generate.read(trained, "-> 1")
    rng = np.random.default_rng(1)
    assert questions.ARROW in evaluate.sample(trained, 4, 0.7, rng)


@pytest.mark.parametrize("kind", TINY)
def test_the_guard_reads_masks(kind: str) -> None:
    """Scores at padding are -inf and no fault; anywhere else they are."""
    config = question_config(kind, {"max_arguments": 6})
    task = tasks.load(config)
    run = runs.fresh(config, task)
    batch = task.train_batch(np.random.default_rng(1))
    assert guard.locate(run.params, batch, config, run.params.like()) is None
    bad = np.array([np.nan], np.float32)
    assert guard.first_bad({"layers.0.cross_scores": bad}) is not None
