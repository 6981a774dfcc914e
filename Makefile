# Fixformer: train -> quantize -> rtl -> sim. Each step is a thin call of `python -m model.train` and
# the like, which have the same options and a --help. `make help` lists everything.

CONFIG ?= stories
SIM ?= verilator
ENGINE ?= float
BOARD ?= ulx3s-85f

PY := .venv/bin/python

# The value of the variable $(1) for the shell, whatever it contains; and as the option --$(1).
quote = '$(subst ','\'',$(value $(1)))'
option = $(if $(value $(2)),--$(1) $(call quote,$(2)))
COMMON = --config $(call quote,CONFIG) $(call option,text,TEXT)
QUIZ = $(call option,questions,QUESTIONS)
SAMPLING = $(call option,prompt,PROMPT) $(call option,tokens,TOKENS) \
	$(call option,temperature,TEMPERATURE) $(call option,seed,SEED)

# build/<config> or build/<config>-<text>, as configs.cli.load_config names it; spaces escaped.
NAME := $(shell c=$$(basename -- $(call quote,CONFIG) .toml); t=$$(basename -- $(call quote,TEXT)); \
	printf %s "$$c$${t:+-$${t%.*}}" | sed 's/ /\\ /g' | \
	tr '\001-\037\041-\052\057\072-\077\133\135\136\140\173-\177' '?')
ifneq (,$(findstring ?,$(NAME)))
$(error CONFIG, TEXT: name the file with letters, digits, spaces and . _ + , @ - only)
endif
ifneq (,$(filter-out float golden,$(ENGINE)))
$(error ENGINE=$(ENGINE): there are float and golden)
endif

BUILD := build/$(NAME)
READY := .venv/setup.stamp
STAGES := $(BUILD)/stages
TRAINED := $(STAGES)/trained
QUANTISED := $(BUILD)/quant/qmodel.json
RENDERED := $(BUILD)/rtl/manifest.json
GENERATOR := $(if $(filter golden,$(ENGINE)),quant.generate,model.generate)
python = $(wildcard $(1)/*.py) $(wildcard configs/*.py)
rtl = $(wildcard hdl/*.sv hdl/*/*.sv export/*/* export/*/*/*)
WORKERS := -n auto --maxprocesses 4
caches := .pytest_cache .ruff_cache .mypy_cache .hypothesis

.DEFAULT_GOAL := help
.NOTPARALLEL:
unexport FORCE CONFIG SIM ENGINE TEXT PROMPT TOKENS TEMPERATURE SEED QUESTIONS WAVES ARGS BITS MINUTES STEPS BUDGET \
	BLOCKS DEVICE STREAMS BOARD FREQ TOP SEEDS VOCAB POSITION PORT BAUD NOISE
.PHONY: setup train try look generate quantize qat search rtl sim soc board host timeline cycles explore synth bitstream project bench-fpga demo test test-all lint prove gates bench clean help stages FORCE

setup:
	@PYTHON=$(call quote,PYTHON) .ci/setup

$(READY): requirements.txt .ci/setup
	@PYTHON=$(call quote,PYTHON) .ci/setup

# The config split by stage, into files that change only when their contents do. SEED is the seed of
# training only for the goal train; else it is the sampling seed, and no reason to train again.
stages: $(READY)
	@$(PY) -m configs.stages $(COMMON) \
		$(if $(filter train,$(MAKECMDGOALS)),$(call option,seed,SEED),--keep-seed) \
		$(call option,streams,STREAMS)

$(STAGES)/train.json $(STAGES)/quant.json $(STAGES)/rtl.json: stages
	@:

# A stamp, because the weights are there as soon as the first checkpoint is.
$(TRAINED): $(STAGES)/train.json $(if $(wildcard $(BUILD)/model/weights.safetensors),,FORCE)
	$(PY) -m model.train $(COMMON) --seed "$$(cat $(STAGES)/seed)"
	@touch $(TRAINED)

$(QUANTISED): $(TRAINED) $(STAGES)/quant.json $(call python,quant) \
		$(wildcard quant/templates/*) \
		$(if $(FORCE),FORCE,$(if $(wildcard $(BUILD)/quant/qmodel.safetensors),,FORCE))
	$(PY) -m quant $(COMMON) $(if $(FORCE),--force)

$(RENDERED): $(QUANTISED) $(STAGES)/rtl.json $(call python,export) $(rtl)
	$(PY) -m export $(COMMON) $(call option,streams,STREAMS)

train: $(TRAINED)
	@echo "trained: $(BUILD)/model"

quantize: $(QUANTISED)
	@echo "quantised: $(BUILD)/quant"

# Trains anew whenever it is asked for; what it writes is up to date for rtl and sim, and stays when
# quantising is asked for (quant/keep.py).
qat: $(TRAINED) $(STAGES)/quant.json
	$(PY) -m quant.qat $(COMMON) $(call option,weight-bits,BITS) $(call option,minutes,MINUTES) \
		$(call option,steps,STEPS)

search: $(TRAINED)
	$(PY) -m quant.search $(COMMON) $(call option,budget-kbit,BUDGET) $(call option,blocks,BLOCKS) \
		$(call option,device,DEVICE)

rtl: $(RENDERED)
	@echo "rendered: $(BUILD)/rtl"

generate: $(if $(filter golden,$(ENGINE)),$(QUANTISED),$(TRAINED))
	$(PY) -m $(GENERATOR) $(COMMON) $(SAMPLING)

try: $(TRAINED)
	@$(PY) -m model.ask $(COMMON) $(call option,prompt,PROMPT) $(call option,tokens,TOKENS)

look: $(TRAINED)
	@$(PY) -m model.look $(COMMON) $(call option,prompt,PROMPT)

sim: $(RENDERED)
	$(PY) -m sim $(COMMON) --sim $(call quote,SIM) $(SAMPLING) $(QUIZ) \
		$(if $(filter-out 0 no off false,$(WAVES)),--waves) $(if $(value STREAMS),--streams)

synth bitstream: $(RENDERED)
	$(PY) -m export.synth $(COMMON) --board $(call quote,BOARD) $(call option,freq,FREQ) \
		$(call option,seeds,SEEDS) $(call option,top,TOP) $(if $(filter bitstream,$@),--bitstream)

cycles: $(READY)
	@$(PY) -m export.cycles $(COMMON) $(call option,vocab,VOCAB)

explore: $(READY)
	@$(PY) -m export.explore $(COMMON) $(call option,device,DEVICE) $(call option,vocab,VOCAB)

timeline: sim
	@$(PY) -m sim.timeline $(COMMON) $(call option,position,POSITION)

soc: $(RENDERED)
	$(PY) -m export.soc $(COMMON)

# The simulated board runs until it is interrupted.
board: $(RENDERED)
	@$(PY) -m sim.board $(COMMON) $(call option,noise,NOISE)

host: $(RENDERED)
	@$(PY) -m sim.host $(COMMON) $(call option,port,PORT) $(call option,baud,BAUD) $(SAMPLING)

project: $(RENDERED)
	$(PY) -m export.synth.project $(COMMON) $(if $(filter command line environment,$(origin BOARD)),$(call option,board,BOARD))

bench-fpga:
	$(MAKE) --no-print-directory quantize CONFIG=microgpt
	$(MAKE) --no-print-directory rtl CONFIG=tiny
	$(MAKE) --no-print-directory rtl CONFIG=stories
	$(MAKE) --no-print-directory rtl CONFIG=up5k
	$(PY) -m pip install --quiet -r requirements-ice40.txt
	$(PY) -m export.synth.benchmark $(call option,seeds,SEEDS)

demo: setup sim

test: setup
	$(PY) -m pytest $(WORKERS) $(ARGS)

test-all: setup
	$(PY) -m pytest $(WORKERS) -m '' $(ARGS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m sim.lint

prove: $(READY)
	$(PY) -m sim.prove

gates: $(READY)
	@$(PY) -m tests.rtl.gate_table
	$(PY) -m pytest -m '' tests/rtl/test_gates.py $(ARGS)

bench: $(RENDERED)
	$(PY) -m model.benchmark $(call option,text,TEXT)
	$(PY) -m quant.benchmark $(call option,text,TEXT)
	$(PY) -m sim.benchmark $(COMMON)

clean:
	rm -rf build $(caches)
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

define HELP
make demo        everything: setup, train, quantize, rtl, sim; prints what the hardware wrote
make test        everything that is needed, then the tests (test-all: the slow ones too)

make setup       .venv with the pinned packages, and the missing system packages
make train       float model                       -> build/<name>/model
make generate    text from the float model, or with ENGINE=golden from the integer one
make try         ask the float model; it answers and says how sure it is
make look        where each head of it looks       -> build/<name>/model/attention.png
make quantize    integer model and its report      -> build/<name>/quant, report.html in it
make qat         train the integer model to do what the float one does; replaces build/<name>/quant
make search      the best widths of weights within a budget  -> build/<name>/search
make rtl         Verilog, ROMs, manifest           -> build/<name>/rtl
make cycles      where the cycles of a token go, predicted -> build/<name>/cycles
make explore     every array that fits DEVICE: speed, cost -> build/<name>/explore
make sim         simulate it, compare every bit    -> build/<name>/sim
make synth       LUTs, multipliers, block RAM, clock on a board -> build/<name>/synth/<board>
make bitstream   the same, and fixformer.bit for the board
make timeline    simulate, and draw one token: units against cycles  -> build/<name>/sim
make project     a project for Vivado or Quartus   -> build/<name>/project/<board>
make soc         the core behind AXI4-Stream and AXI4-Lite, C header -> build/<name>/soc
make board       simulate a whole board behind a pseudo-terminal, until interrupted
make host        ask that board, or with PORT a real one; prints the tokens as they come
make lint        ruff, mypy; Verilator, Icarus, Yosys, Verible on every Verilog file, no warning allowed
make prove       proofs of the modules by a solver; mutated twins must fail
make gates       ECP5 netlists of every module with state and of small machines under their benches
make bench       speed, memory, what is learned    -> build/bench, build/<name>/bench
make bench-fpga  area and clock of the large machines, with several seeds -> build/bench/fpga.json
make clean       remove build/ and the caches, keep .venv

Each target first does what it depends on, where that is missing or older.

CONFIG=$(CONFIG)   one of the configs below, or a path to a .toml file
TEXT=my.txt      train on this UTF-8 file; then <name> is <config>-my
PROMPT="..."     generate, sim, try, look: what the text begins with (default: the config's)
TOKENS=64        generate, sim, try: how many tokens to write
TEMPERATURE=0.8  generate, sim: 0 takes the likeliest token, more is bolder
SEED=7           generate, sim: seed of the sampling; train: seed of the training (then it is kept)
BITS=4           qat: bits of a weight, 2 (-1, 0, 1) to 8, instead of the config's
BUDGET=400       search: kbit of all weights together; or one of the next two
BLOCKS=90        search: blocks of 18 kbit of block RAM for weights, embeddings and KV cache
DEVICE=ulx3s-85f search: as many blocks as a device has; explore: which device (configs/devices/)
FORCE=1          quantize: anew, also in place of what qat trained
POSITION=20      timeline: which token
VOCAB=60         cycles, explore: tokens of the vocabulary, if nothing is trained yet
STEPS=11500      qat: how many steps to train, instead of 9,000
MINUTES=4        qat: how long to train, by the clock instead
QUESTIONS=100    sim: ask held-out questions instead (digits, nested, ...), count the exact answers
SIM=$(SIM)    icarus or verilator
BOARD=$(BOARD)  synth, bitstream: a file of configs/boards/
FREQ=100         synth, bitstream: clock in MHz; status 1 when it is not reached
TOP=core         synth, bitstream: the core alone, without the serial line of the board
SEEDS=2          synth, bitstream, bench-fpga (3): how many seeds place and route tries
STREAMS=4        rtl, sim: sequences that share the array, instead of the config's; sim asks on all
WAVES=1          sim: record waves (FST)
ENGINE=$(ENGINE)     generate: float or golden
PYTHON=python3.12   setup: the interpreter for .venv (3.11 or newer)
PORT=/dev/ttyUSB0   host: the serial port of a real board, with BAUD=115200
NOISE=0.01       board: share of bytes on its line that are hit
ARGS="-k softmax"   test: further options of pytest

configs:
endef

help:
	$(info $(HELP))
	@for file in configs/*.toml; do \
		printf '  %-10s %s\n' "$$(basename "$$file" .toml)" "$$(sed -n '1s/^# *//p' "$$file")"; \
	done
