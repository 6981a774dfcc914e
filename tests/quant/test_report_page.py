"""The page of the report: it stands alone, and says what the JSON says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from configs import files
from quant import report_page
from quant.qmodel import QuantModel
from tests.quant.helpers import small
from tests.quant.report_models import details, models


class Page(HTMLParser):
    """Open elements checked, addresses collected, cells of table rows by the row's name."""

    VOID = ("meta", "rect", "path", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.rows: list[list[str]] = []
        self.terms: list[str] = []
        self.heads: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [f"{tag} {k}" for k, _ in attrs if k in ("src", "href", "srcset", "action")]
        self.outside += [tag] if tag in ("script", "link", "iframe", "object", "img") else []
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "dt":
            self.terms.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "style" in self.open:
            self.outside += re.findall(r"@import|url\(|@font-face", data)
        if "td" in self.open or ("th" in self.open and "small" not in self.open):
            self.rows[-1][-1] += data
        if "dt" in self.open:
            self.terms[-1] += data


@pytest.fixture(scope="module")
def made() -> tuple[dict, QuantModel]:
    """A result as `quant.pipeline.report` makes it, and its model."""
    folded, qm = models(small({"kv_bits": 4, "bits": {"head.weight": 6}}))
    score = dict.fromkeys(("float_loss", "integer_loss", "same_argmax", "kl", "kl_se"), 0.25)
    score |= {"tokens": 1800, "loss_increase": -0.125, "loss_increase_se": None}
    score |= {"same_argmax_se": 0.5}
    result = {"config": "small", "quant": qm.quant, "accumulator_bits": 30, "score": score}
    return result | details(folded, qm), qm


@pytest.fixture
def result(made: tuple[dict, QuantModel]) -> dict:
    return made[0]


def number(text: str) -> float:
    """The value of a number as the page writes it."""
    text = (
        text.replace("−", "-")
        .replace(",", "")
        .translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    )
    return float(text.replace("·10", "e"))


def test_the_page_stands_alone(result: dict) -> None:
    text = report_page.render(result)
    assert Page(text).outside == []
    assert "http" not in text
    assert "//" not in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    sizes = [float(size) * 16 for size in re.findall(r"font-size: ([\d.]+)rem", text)]
    assert sizes
    assert min(sizes) >= 14
    assert text == report_page.render(result)
    assert "bits of head.weight <strong>6<" in text


@pytest.mark.parametrize(
    "planted",
    [
        '<img src="x.png">',
        '<script src="x.js"></script>',
        '<link rel="stylesheet">',
        '<a href="x">x</a>',
        "<style>@import 'x'</style>",
        "<style>p { background: url(x) }</style>",
    ],
)
def test_what_does_not_stand_alone_is_noticed(result: dict, planted: str) -> None:
    page = report_page.render(result).replace("</body>", planted + "</body>")
    page = page.replace('<img src="x.png">', '<img src="x.png"></img>')
    page = page.replace('<link rel="stylesheet">', '<link rel="stylesheet"></link>')
    assert Page(page).outside


def test_the_page_says_what_the_json_says(result: dict) -> None:
    page = Page(report_page.render(result))
    rows = {row[0]: row for row in page.rows if row}
    for measured in result["stages"] + result["tensors"]:
        name, fmt, span, saturation, snr, kl, loss, _ = rows[measured["name"]]
        assert name == measured["name"]
        assert fmt == measured["format"]
        low, high = span.split(" to ")
        assert number(low) == pytest.approx(measured["low"], rel=5e-3, abs=1e-12)
        assert number(high) == pytest.approx(measured["high"], rel=5e-3, abs=1e-12)
        if measured["saturation"] is None:
            assert saturation == "–"
        else:
            want = pytest.approx(100 * measured["saturation"], rel=5e-3)
            assert number(saturation.removesuffix(" %")) == want
        assert number(snr) == pytest.approx(measured["snr_db"], abs=0.0501)
        assert number(kl.split(" ± ")[0]) == pytest.approx(1e6 * measured["kl"], rel=5e-3, abs=1e-6)
        want = pytest.approx(1e6 * measured["loss_increase"], rel=5e-3, abs=1e-6)
        assert number(loss.split(" ± ")[0]) == want
    order = [row[0] for row in page.rows if len(row) == 8 and row[0] != "name"]
    assert order == [row["name"] for row in result["stages"] + result["tensors"]]
    header = next(row for row in page.rows if row[0] == "name")
    assert [head.split(",")[0] for head in header[1:]] == page.terms
    assert rows["loss increase"][1:] == ["0", "−0.12500"]
    assert rows["same favourite"][1:] == ["100", "25.00 ± 50.00"]


def test_names_are_explained() -> None:
    want = {
        "layers.0.v": "values, kept in the cache",
        "layers.10.v.weight": "matrix to the values, and its bias",
        "encoder.layers.1.attn_recip": "sum of the softmax, inverted by a table (encoder)",
        "layers.0.cross_scores": "query times key, in octaves (cross-attention)",
        "layers.0.cross_o.weight": "matrix out of attention, and its bias (cross-attention)",
        "embed_tok": "table of tokens",
        "something": "",
    }
    assert {name: report_page.describe(name) for name in want} == want


def test_layers_come_in_the_order_of_execution() -> None:
    rows = [
        {"layer": layer, "kl": 2.0**power} | shape
        for power, layer in enumerate(["layers.10", "layers.2", None, "encoder.layers.3"])
        for shape in ({}, {"shape": [1, 1]}, {"shape": [2, 2]})
    ]
    names = ["encoder.layers.3", "layers.2", "layers.10", "embedding, last norm and head"]
    want = [
        {"name": n, "stages": s, "tensors": 2 * s} for n, s in zip(names, (8, 2, 1, 4), strict=True)
    ]
    assert report_page.layers(rows) == want


def test_float_ptq_and_qat_side_by_side(result: dict) -> None:
    qat = {**result["score"], "integer_loss": 0.75, "loss_increase_se": 0.01}
    both = {**result, "ptq": {"score": result["score"]}, "score": qat}
    rows = {row[0]: row for row in Page(report_page.render(both)).rows if row}
    assert rows["loss"][1:] == ["0.25000", "0.25000", "0.75000"]
    assert rows["loss increase"][3] == "−0.12500 ± 0.01000"
    answers = {"questions": 9, "float": 8, "integer": 7}
    rows = Page(report_page.render({**result, "exact_answers": answers})).rows
    assert ["exact answers", "8 of 9", "7 of 9"] in rows
    both["ptq"]["exact_answers"], both["exact_answers"] = answers, {**answers, "integer": 9}
    assert ["exact answers", "8 of 9", "7 of 9", "9 of 9"] in Page(report_page.render(both)).rows


def test_a_histogram_is_drawn_to_scale() -> None:
    drawn = report_page.drawing(
        {"low": -2.0, "high": 2.0, "ends": [-1.0, 9.0], "counts": [0, 4, 16, 1]}
    )
    assert drawn["path"] == "M0 40V40h4V21h4V2h4V30.5h4V40z"
    assert drawn["marks"] == [{"x": 4, "beyond": False}, {"x": 15, "beyond": True}]


def test_numbers_are_short() -> None:
    want = {
        1234567.0: "1.23·10⁶",
        12345.6: "12,346",
        999.4: "999",
        -0.5: "−0.5",
        0.0: "0",
        0.0012345: "0.00123",
        -1.2345e-7: "−1.23·10⁻⁷",
    }
    assert [report_page.significant(value) for value in want] == list(want.values())
    assert all(number(text) == pytest.approx(value, rel=5e-3) for value, text in want.items())
    assert report_page.significant(None) == "–"


def test_the_page_appears_with_the_artefact(
    made: tuple[dict, QuantModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made[1].save(tmp_path / "q", {"note": 1}, "<p>first")
    assert (tmp_path / "q" / "report.html").read_text() == "<p>first"

    def fail(path: Path, text: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        made[1].save(tmp_path / "q", {"note": 2}, "<p>second")
    assert (tmp_path / "q" / "report.html").read_text() == "<p>first"
    assert json.loads((tmp_path / "q" / "report.json").read_text()) == {"note": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["q"]
