"""The one definition of a Fixformer config: a TOML file of five sections, typed and cross-checked.

Every stage reads the whole file, so a mistake in `[hardware]` is reported before training begins.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from configs import widths

CONFIG_DIR = Path(__file__).parent
BUILD_DIR = CONFIG_DIR.parent / "build"


STREAMS = 8  # most sequences on one array
SIDE = 256  # most rows or columns of the array


class ConfigError(ValueError):
    """A config that cannot be used; the message is one line and says what to change."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    LATER: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Options that came `LATER` are left out at their default: files written before
        are equal to those written now, and no model has to be trained again."""
        defaults = {name: type(self).model_fields[name].default for name in self.LATER}
        return {k: v for k, v in dump(self).items() if k not in defaults or v != defaults[k]}


Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class ModelConfig(Section):
    """Shape and kind of the transformer.

    A decoder continues a text, an encoder reads one answer off a whole text, an encoder-decoder
    turns one text into another.
    """

    LATER = ("kind", "n_kv_heads", "norm_position", "dropout", "label_smoothing")
    d_model: int = Field(64, ge=4, le=1024)
    n_heads: int = Field(4, ge=1, le=64)
    n_layers: int = Field(2, ge=1, le=32)
    d_ff: int = Field(256, ge=4, le=8192)
    context: int = Field(128, ge=4, le=4096)
    norm: Literal["layernorm", "rmsnorm"] = "rmsnorm"
    activation: Literal["relu", "gelu", "gelu_exact", "silu", "swiglu"] = "relu"
    positions: Literal["learned", "sinusoidal", "rotary"] = "learned"
    tied_head: bool = True
    bias: bool = False
    kind: Literal["decoder", "encoder", "encoder-decoder"] = "decoder"
    n_kv_heads: int | None = Field(None, ge=1, description="keys and values; default: n_heads")
    norm_position: Literal["pre", "post"] = "pre"
    dropout: float = Field(0.0, ge=0, lt=1, description="of embeddings and of what layers add")
    label_smoothing: float = Field(0.0, ge=0, lt=1)

    @property
    def kv_heads(self) -> int:
        """Heads of keys and of values; each serves n_heads / kv_heads queries."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    @model_validator(mode="after")
    def _shapes(self) -> ModelConfig:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not divisible by n_heads {self.n_heads}")
        if self.n_heads % self.kv_heads:
            raise ValueError(
                f"n_heads {self.n_heads} is not divisible by n_kv_heads {self.n_kv_heads}"
            )
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(f"rotary positions need an even d_model / n_heads, not {self.d_head}")
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"sinusoidal positions need an even d_model, not {self.d_model}")
        return self


Operation = Literal["First", "Second", "Last", "Max", "Min", "Add"]


class DataConfig(Section):
    """What is learned: any text, or questions and their answers (`model/questions.py`).

    `digits` asks for operations on numbers, the other tasks for strings of letters.
    """

    LATER = (
        *("vocab_size", "operations", "largest", "min_arguments", "max_arguments", "depth"),
        *("length", "examples"),
    )
    task: Literal["text", "digits", "copy", "identity", "reverse"] = "text"
    text: str = Field("data/tiny_stories.txt", description="UTF-8 file, relative to the repository")
    tokenizer: Literal["char", "word", "bpe"] = Field("char", description="of a text")
    vocab_size: int = Field(512, ge=256, le=65535, description="bpe: most tokens; bytes are 256")
    validation: Fraction = 0.1
    prompt: str = Field("Once upon a time", description="default prompt of generate and sim")
    operations: list[Operation] = Field(["First", "Second", "Last", "Max", "Min"], min_length=1)
    largest: int = Field(9, ge=1, le=999, description="digits: numbers from 0 to this")
    min_arguments: int = Field(3, ge=1, le=16)
    max_arguments: int = Field(3, ge=1, le=16)
    depth: int = Field(1, ge=1, le=3, description="digits: operations inside operations")
    length: int = Field(16, ge=1, le=256, description="letters of the longest string")
    examples: int = Field(
        20000, ge=20, le=10**6, description="most questions, all of them distinct"
    )

    @model_validator(mode="after")
    def _questions(self) -> DataConfig:
        if self.min_arguments > self.max_arguments:
            raise ValueError(
                f"min_arguments {self.min_arguments} is above max_arguments {self.max_arguments}"
            )
        if len(set(self.operations)) < len(self.operations):
            raise ValueError(f"operations {self.operations}: name each once")
        if "Second" in self.operations and self.min_arguments < 2:
            raise ValueError("the operation Second needs min_arguments 2 or more")
        return self


class TrainConfig(Section):
    """Optimizer, schedule and length of the training; `model/optim.py` has the formulas."""

    LATER = (
        *("schedule", "decay", "decay_every", "optimizer", "momentum"),
        *("accumulate", "patience", "sample_tokens"),
    )
    seed: int = Field(1, ge=0, lt=2**32)
    steps: int = Field(2000, ge=1)
    batch_size: int = Field(32, ge=1)
    seq_len: int | None = Field(None, ge=1, description="tokens per sample; default: the context")
    learning_rate: float = Field(3e-3, gt=0)
    min_learning_rate: float = Field(1e-4, ge=0)
    schedule: Literal["constant", "step", "exponential", "cosine"] = "cosine"
    warmup_steps: int = Field(100, ge=0)
    decay: Fraction = Field(0.5, description="step, exponential: factor per decay_every steps")
    decay_every: int = Field(1000, ge=1)
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(0.1, ge=0)
    beta1: Fraction = 0.9
    beta2: Fraction = 0.99
    clip: float = Field(1.0, gt=0)
    accumulate: int = Field(1, ge=1, description="batches per step; their gradients are averaged")
    eval_every: int = Field(200, ge=1)
    patience: int | None = Field(None, ge=1, description="evaluations without a better one to end")
    sample_tokens: int = Field(0, ge=0, description="text: tokens written at each evaluation")

    @model_validator(mode="after")
    def _rates(self) -> TrainConfig:
        if self.schedule != "constant" and self.min_learning_rate > self.learning_rate:
            raise ValueError(
                f"min_learning_rate {self.min_learning_rate} is above learning_rate "
                f"{self.learning_rate}"
            )
        return self


class QuantConfig(Section):
    """Number formats of the integer model; `docs/numerics.md` is the specification."""

    LATER = (
        *("residual_bits", "bits", "calibration", "percentile"),
        *("rsqrt_bits", "recip_bits", "bump_bits"),
    )
    weight_bits: int = Field(8, ge=2, le=8, description="2: ternary")
    act_bits: int = Field(12, ge=8, le=16)
    kv_bits: int = Field(10, ge=4, le=16)
    residual_bits: int = Field(16, ge=12, le=16)
    score_frac_bits: int = Field(5, ge=2, le=8)
    prob_bits: int = Field(12, ge=6, le=15)
    rsqrt_bits: int = Field(7, ge=4, le=8, description="the table of 1/sqrt: 3 * 2^this entries")
    recip_bits: int = Field(7, ge=4, le=8, description="the table of 1/x: 2^this entries")
    bump_bits: int = Field(8, ge=4, le=10, description="the table of GELU or SiLU: 2^this entries")
    bits: dict[str, int] = Field({}, description="overrides by name, see configs/widths.py")
    calibration_windows: int = Field(64, ge=1)
    calibration: Literal["mse", "absmax", "percentile"] = "mse"
    percentile: float = Field(
        99.99, gt=50, le=100, description="of magnitudes that are not clipped"
    )


class HardwareConfig(Section):
    """The systolic array: `rows` split the reduction, `cols` the outputs."""

    LATER = ("streams",)

    rows: int = Field(8, ge=2, le=SIDE)
    cols: int = Field(16, ge=2, le=SIDE)
    streams: int = Field(
        1, ge=1, le=STREAMS, description="independent sequences that share the array"
    )


class Config(Section):
    """One TOML file."""

    name: str
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    quant: QuantConfig = QuantConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="after")
    def _cross(self) -> Config:
        if self.train.seq_len is not None and self.train.seq_len > self.model.context:
            raise ValueError(
                f"train.seq_len {self.train.seq_len} is longer than model.context "
                f"{self.model.context}"
            )
        self._kind_fits_task()
        widths.check(self.quant, self.model)
        return self

    def _kind_fits_task(self) -> None:
        """ValueError unless a model of this kind can learn the task."""
        kind, data = self.model.kind, self.data
        if data.task == "text" and kind != "decoder":
            raise ValueError(
                f"model.kind '{kind}' cannot learn the task 'text'; make it 'decoder', or choose "
                "another data.task"
            )
        if kind != "encoder":
            return
        if data.task != "digits":
            raise ValueError(
                f"model.kind 'encoder' answers with one token, the task '{data.task}' has more; "
                "make it 'encoder-decoder'"
            )
        if data.largest > 9 or "Add" in data.operations:
            raise ValueError(
                "model.kind 'encoder' answers with one digit: it needs data.largest 9 or less, "
                "and no operation Add"
            )
        if self.train.sample_tokens:
            raise ValueError("model.kind 'encoder' writes no samples: make train.sample_tokens 0")

    @property
    def build_dir(self) -> Path:
        """Where all artefacts of this config live: `build/<name>`."""
        return BUILD_DIR / self.name


def available() -> list[str]:
    """Names of the configs in `configs/`."""
    return sorted(path.stem for path in CONFIG_DIR.glob("*.toml"))


def parse(name: str, data: dict) -> Config:
    """Build a checked Config from plain data; raises ConfigError with one line."""
    try:
        return Config(name=name, **data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"])
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = "unknown key"
            problems.append(f"{where}: {message}" if where else message)
        raise ConfigError(f"config '{name}': " + "; ".join(problems)) from None


def load(name_or_path: str) -> Config:
    """Read `configs/<name>.toml`, or a path that ends in .toml."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = CONFIG_DIR / f"{name_or_path}.toml"
    if not path.is_file():
        raise ConfigError(f"no config '{name_or_path}'; there are: {', '.join(available())}")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"config '{path}': {error}") from None
    if "name" in data:
        raise ConfigError(f"config '{path.stem}': name: unknown key (the file's name is the name)")
    return parse(path.stem, data)
