# Every target is complete on a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test test-slow lint bench bench-cuda golden clean

# The user's install: run dependencies only.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -qq --editable .
	touch $@

# The developer's: tools for lint, types, contracts and tests on top.
$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

demo: $(VENV)/.installed
	$(BIN)/zonas-edge run --profile benchmarks/demo.toml --dataset digits --seed 0 \
	  --epochs 4 --retrain-epochs 12

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --isolated --target-version py37 --select E,F,W,B,S --ignore S101 zonas_edge/device/runner.py
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

# Whole runs, interruptions, and other devices; .ci/prepare installs what these need.
test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) -m slow

golden: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) tests --update-golden

# On two cores about two hours; benchmarks/search_speed.py --help says how to make the
# longest of it in pieces.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/evidence.py run --profile x86-64 --dataset digits --seeds 0
	$(BIN)/python benchmarks/search_speed.py --anew
	$(BIN)/python benchmarks/retrain_speed.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/slopes.py
	$(BIN)/python benchmarks/tables.py

# All that needs a GPU: the CUDA paths' tests first, then the figures.
bench-cuda: $(VENV)/.dev
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python benchmarks/search_speed.py --device cuda --anew
	$(BIN)/python benchmarks/retrain_speed.py --device cuda
	$(BIN)/python benchmarks/growth.py --device cuda
	$(BIN)/python benchmarks/slopes.py --device cuda --channels 16 --depth 3 --side 28 \
	  --batch 64
	$(BIN)/python benchmarks/tables.py

clean:
	rm -rf $(VENV) build dist *.egg-info
