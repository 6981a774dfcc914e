"""Everything that is rendered, as plain numbers: module parameters, ROMs and their wiring."""

from __future__ import annotations

from dataclasses import dataclass

from export import counters, memory, program, validate
from export import geometry as geo
from export.geometry import Geometry, width
from export.memory import Field, Rom
from quant.qmodel import LINEARS, QuantModel


@dataclass(frozen=True)
class Instance:
    """One ROM in the core: its module, and the signals of its two ports."""

    module: str
    name: str
    addr: str
    data: str


@dataclass(frozen=True)
class ContextFile:
    """What is kept for each context: written when a token begins, read by one stage."""

    name: str
    width: int
    written: str  # expression of signals
    reader: str  # signal: the context that is asked for


@dataclass(frozen=True)
class Spec:
    """One rendered machine."""

    qm: QuantModel
    geometry: Geometry
    builder: program.Builder
    params: dict[str, int]
    roms: list[Rom]
    instances: list[Instance]
    absent: list[str]  # data signals of tables that this model does not have
    issue_fields: list[Field]
    finish_fields: list[Field]
    traces: list[tuple[str, int]]
    context_files: list[ContextFile]  # with several streams


def lane_instances(rom: Rom, signal: str, cols: int) -> list[Instance]:
    """A table of its own for every lane."""
    return [
        Instance(
            rom.name,
            f"u_{rom.name}_{lane}",
            f"{signal}_addr[{lane * rom.addr_width}+:{rom.addr_width}]",
            f"{signal}_data[{lane * rom.width}+:{rom.width}]",
        )
        for lane in range(cols)
    ]


def single(rom: Rom, addr: str, data: str, addr_w: int | None = None) -> Instance:
    """One table; `addr_w` cuts an address that is wider than the ROM's."""
    cut = "" if addr_w is None or addr_w == rom.addr_width else f"[{rom.addr_width - 1}:0]"
    return Instance(rom.name, f"u_{rom.name}", f"{addr}{cut}", data)


def softmax_latency(cols: int) -> int:
    """Cycles from the last probability tile to the reciprocal of their sum."""
    return (width(cols) + 1) // 2 + 6


def context_files(p: dict[str, int]) -> list[ContextFile]:
    """A file for each stage that needs something of the context of a tile."""
    counts = p["CtxW"] + p["CountW"] + p["TileW"]
    written = {
        "load": (counts, "{start_stream, start_pos_waves, start_pos_tiles}", "load_ctx"),
        "embed": (p["TokenW"] + p["PosW"], "{start_token, start_pos}", "embed_ctx"),
        "rope": (p["PosW"], "start_pos", "early_ctx"),
        "score": (p["ColW"], "start_pos_col", "early_ctx"),
        "kv": (
            counts + p["RowW"] + p["ColW"],
            "{start_stream, start_pos_waves, start_pos_row, start_pos_tiles, start_pos_col}",
            "early_kv_ctx",
        ),
    }
    return [ContextFile(name, *entry) for name, entry in written.items()]


def traces(p: dict[str, int]) -> list[tuple[str, int]]:
    """Trace signals of the core and their widths."""
    cols = p["Cols"]
    return [
        ("start", 1),
        ("start_ctx", p["CtxW"]),
        ("start_stream", p["CtxW"]),
        ("start_token", p["TokenW"]),
        ("start_pos", p["PosW"]),
        ("start_sampled", 1),
        ("embed_valid", 1),
        ("embed_ctx", p["CtxW"]),
        ("embed_tile", p["XTileW"]),
        ("embed_data", cols * 16),
        ("valid", 1),
        ("ctx", p["CtxW"]),
        ("step", p["StepW"]),
        ("tile", p["TileW"]),
        ("data", cols * 16),
        ("qkv_valid", 1),
        ("qkv_ctx", p["CtxW"]),
        ("qkv_step", p["StepW"]),
        ("qkv_tile", p["TileW"]),
        ("qkv_data", cols * 16),
        ("prob_valid", 1),
        ("prob_ctx", p["CtxW"]),
        ("prob_slot", p["HeadW"]),
        ("prob_tile", p["ScoreTileW"]),
        ("prob_data", cols * p["ProbW"]),
        ("recip_valid", 1),
        ("recip_ctx", p["CtxW"]),
        ("recip_slot", p["HeadW"]),
        ("recip_mant", 16),
        ("recip_exp", 6),
        ("norm_valid", 1),
        ("norm_ctx", p["CtxW"]),
        ("norm_mant", 16),
        ("norm_exp", 6),
        ("noise_valid", 1),
        ("noise_ctx", p["CtxW"]),
        ("noise_tile", p["LogitTileW"]),
        ("noise_data", cols * p["NoiseW"]),
        ("token_valid", 1),
        ("token_ctx", p["CtxW"]),
        ("token", p["TokenW"]),
        ("busy", 1),
        ("cause", 3),
        ("at_step", p["StepW"]),
    ]


def weight_width(qm: QuantModel) -> int:
    """The widest weights: all steps share the weight ROMs."""
    linears = [getattr(layer, part) for layer in qm.layers for part in LINEARS]
    return max(linear.weight_bits for linear in [*linears, qm.head] if linear is not None)


def kv_width(qm: QuantModel) -> int:
    """The widest keys and values: all layers share the KV banks."""
    return max(part.out_bits for layer in qm.layers for part in (layer.k, layer.v))


def operand_width(qm: QuantModel) -> int:
    """The widest operand of the array; what is unsigned needs a sign bit more."""
    stages = ("q", "attn_out", "ffn_hidden")
    names = [f"layers.{index}.{stage}" for index in range(len(qm.layers)) for stage in stages]
    acts = [qm.formats[name].signed_bits for name in names]
    return max(qm.residual_bits, qm.quant["prob_bits"] + 1, *acts)


def parameters(qm: QuantModel, g: Geometry, builder: program.Builder) -> dict[str, int]:
    """Every module parameter of the machine, by the name that the RTL gives it."""
    quant = qm.quant
    shifts, biases = memory.parameters(builder, g)
    bump, rsqrt, recip = (qm.tables[name] for name in ("bump", "rsqrt", "recip"))
    assert rsqrt is not None
    assert recip is not None
    weight_addr_w, kv_addr_w = width(builder.weight_words), width(g.streams * g.kv_depth)
    several = g.streams > 1
    x_tiles, score_tiles, logit_tiles = g.tiles(g.d_model), g.tiles(g.context), g.tiles(g.vocab)
    residual_w = qm.residual_bits
    square_sum = g.d_model * (2 ** (residual_w - 1) - 1) ** 2 + qm.eps_int
    act_w, weight_w, kv_w = operand_width(qm), weight_width(qm), kv_width(qm)
    product_w = act_w + max(weight_w, kv_w)
    recip_wait = softmax_latency(g.cols) - g.dependent_latency
    result_delay = 13 + int(bump is not None)  # vector_unit: the tag of a tile, and its results
    return {
        "Rows": g.rows,
        "Cols": g.cols,
        "Sub": g.sub,
        "Groups": g.groups,
        "SubW": width(g.sub),
        "GroupW": width(g.groups),
        "RowW": width(g.rows),
        "ColW": width(g.cols),
        "ActW": act_w,
        "ResidualW": residual_w,
        "ProbW": quant["prob_bits"],
        "WeightW": weight_w,
        "KvW": kv_w,
        "AccW": max(qm.acc_bits(), geo.MIN_ACC_W, product_w),
        "BiasW": memory.signed_bits(biases),
        "StepW": width(len(builder.steps) + 1),
        "TileW": g.tile_w,
        "CountW": g.count_w,
        "Streams": g.streams,
        "CtxW": g.ctx_w,
        "LayerW": width(g.n_layers + 1),
        "OpWordW": g.op_word_w,
        "OpAddrW": g.op_word_w + several * g.ctx_w,
        "OpWords": g.streams << g.op_word_w if several else g.operand_words["end"],
        "ProbWords": g.streams << g.op_word_w if several else g.prob_words,
        "ProbWordsW": g.prob_words_w,
        "AddrW": max(weight_addr_w, kv_addr_w),
        "KvAddrW": kv_addr_w,
        "KvWords": g.kv_depth,
        "KvDepth": g.streams * g.kv_depth,
        "KStride": g.k_stride,
        "VStride": g.v_stride,
        "ParamW": width(len(shifts)),
        "Slots": g.score_slots,
        "SlotW": width(g.score_slots),
        "SlotNoise": geo.SLOT_NOISE,
        "SlotX": geo.SLOT_X,
        "SlotK": geo.SLOT_K,
        "SlotV": geo.SLOT_V,
        "FirstHeadSlot": geo.FIRST_HEAD_SLOT,
        "LenW": g.len_w,
        "Heads": g.slots,
        "HeadW": g.head_w,
        "Ring": int(several),
        "SoftSlots": 1 if several else g.slots,
        "SoftSlotW": g.head_w + several * g.ctx_w,
        "TokenW": width(g.vocab),
        "PosW": width(g.context),
        "Vocab": g.vocab,
        "Context": g.context,
        "XTiles": x_tiles,
        "XTileW": width(x_tiles),
        "TokAddrW": width(g.vocab * x_tiles),
        "PosAddrW": width(g.context * x_tiles),
        "HasPos": int(not g.rotary),
        "NormPasses": g.norm_passes,
        "NormWait": g.norm_wait,
        "NormLatency": g.norm_latency(g.norm_passes),
        "NormSumW": max(square_sum.bit_length(), 2 * residual_w - 1 + width(g.cols)),
        "Eps": qm.eps_int,
        "Bump": int(bump is not None),
        "BumpShift": qm.bump_shift,
        "HiddenZero": qm.formats["layers.0.ffn_hidden"].zero,
        "HiddenW": max(qm.formats[f"layers.{i}.ffn_hidden"].bits for i in range(g.n_layers)),
        "BumpAddrW": 8 if bump is None else width(len(bump)),
        "BumpW": 1 if bump is None else max(int(bump.max()).bit_length(), 1),
        "Rope": int(g.rotary),
        "RopePasses": g.rope_passes,
        "RopeLatency": g.rope_latency,
        "RopePeriod": g.rope_period,
        "RopePeriodW": width(g.rope_period),
        "RopeAddrW": width(g.context * g.rope_period),
        "RsqrtBits": width(len(rsqrt) // 3),
        "RecipBits": width(len(recip)),
        "FracBits": quant["score_frac_bits"],
        "ScoreTiles": score_tiles,
        "ScoreTileW": width(score_tiles),
        "ProbSumW": max(
            (g.context * (2 ** quant["prob_bits"] - 1)).bit_length(),
            quant["prob_bits"] + width(g.cols),
        ),
        "RecipWait": max(0, recip_wait),
        "EmbedDelay": result_delay - 4,
        "ResultDelay": result_delay,
        "SamplerLatency": (width(g.cols) + 1) // 2 + 2,
        "LogitTiles": logit_tiles,
        "LogitTileW": width(logit_tiles),
        "NoiseW": 20,
        "CounterW": counters.WIDTH,
    }


def build(qm: QuantModel, rows: int, cols: int, streams: int = 1) -> Spec:
    """The whole machine for `qm` and `streams` on an array of rows x cols; raises UserError."""
    validate.check(qm)
    g = Geometry.of(qm, rows, cols, streams)
    builder = program.build(qm, g)
    p = parameters(qm, g, builder)
    widths = memory.field_widths(g, p["AddrW"], p["ParamW"], p["SlotW"])
    steps = builder.steps
    issue_names = program.ISSUE_FIELDS + program.SCHEDULE_FIELDS * (streams > 1)
    issue, issue_fields = memory.program_rom(
        "rom_issue", "program of the sequencer", issue_names, steps, widths
    )
    finish, finish_fields = memory.program_rom(
        "rom_finish", "program of the vector unit", program.FINISH_FIELDS, steps, widths
    )
    shifts, biases = memory.parameters(builder, g)
    shift = Rom("rom_shift", g.cols * 5, memory.pack_rows(shifts, 5), "accumulator shifts")
    bias = Rom(
        "rom_bias", g.cols * p["BiasW"], memory.pack_rows(biases, p["BiasW"]), "biases, guard units"
    )
    res_w = p["ResidualW"]
    tok_words = memory.embedding_words(qm.embed_tok, g, res_w)
    tok = Rom("rom_tok", g.cols * res_w, tok_words, "token embedding")
    tables = {rom.name: rom for rom in memory.table_roms(qm, p["BumpW"])}
    instances = [
        single(issue, "issue_step", "issue_word", p["StepW"]),
        single(finish, "finish_step", "finish_word", p["StepW"]),
        single(shift, "shift_addr", "shift_data"),
        single(bias, "bias_addr", "bias_data"),
        single(tok, "tok_addr", "tok_data"),
        single(tables["rom_rsqrt"], "rsqrt_addr", "rsqrt_data"),
        single(tables["rom_recip"], "recip_addr", "recip_data"),
        single(tables["rom_gumbel"], "gumbel_addr", "gumbel_data"),
        *lane_instances(tables["rom_exp2"], "exp2", g.cols),
    ]
    roms, absent = [issue, finish, shift, bias, tok, *tables.values()], []
    if "rom_bump" in tables:
        instances += lane_instances(tables["rom_bump"], "bump", g.cols)
    else:
        absent.append("bump_data")
    if g.rotary:
        for name in ("cos", "sin"):
            table = qm.tables[name]
            assert table is not None
            words = memory.rotary_words(table, g)
            rom = Rom(f"rom_{name}", g.cols // 2 * 16, words, f"{name} of the rotation, Q1.14")
            roms.append(rom)
            instances.append(single(rom, "rope_addr", f"{name}_data"))
        absent.append("pos_data")
    else:
        assert qm.embed_pos is not None
        pos_words = memory.embedding_words(qm.embed_pos, g, res_w)
        pos = Rom("rom_pos", g.cols * res_w, pos_words, "positions")
        roms.append(pos)
        instances.append(single(pos, "pos_addr", "pos_data"))
        absent += ["cos_data", "sin_data"]
    roms += memory.weight_roms(builder, g, p["WeightW"])
    return Spec(
        qm,
        g,
        builder,
        p,
        roms,
        instances,
        absent,
        issue_fields,
        finish_fields,
        traces(p),
        context_files(p),
    )
