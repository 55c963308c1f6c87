# Nothing is assumed but Python 3.11 or later, pip and make: each target makes .venv and installs what it needs there.
# Another interpreter: `make test PYTHON=python3.12`. Another place: `make test VENV=../venv`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/demo
JOBS ?= 2

# pip reads the same limits in every environment that it makes, so no build step can bring in another torch.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# One thread a process: on small tensors two pytest workers beat one process with two threads.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test stress bench bench-peers lint format docs clean

help: ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

# A stamp for each set of extras; it goes stale when the project's requirements change.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "make: no Python 3.11 or later found; install one or say make PYTHON=/path/to/python" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)
$(VENV)/.with-%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[$(subst +,$(comma),$*)]"
	@touch $@
comma := ,

DEMO := $(VENV)/.with-train+lensing
TEST := $(VENV)/.with-train+lensing+images+export+hub+dev
DOCS := $(VENV)/.with-train+lensing+export+hub+docs

demo: $(DEMO) ## simulate lenses, train three networks, write a report: about 3 minutes
	$(BIN)/steerable demo

test: $(TEST) ## the suite without its slow half
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow" $(ARGS)

stress: $(TEST) ## the full product of the laws
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "slow" $(ARGS)

bench: $(TEST) ## every speed claim as a ratio within one run
	$(ONE_THREAD) $(BIN)/python -m benchmarks $(ARGS)

bench-peers: ## the peers' own environments (needs a Fortran compiler)
	PIP_CONSTRAINT= PYTHON="$(PYTHON)" sh benchmarks/make_peers.sh

lint: $(TEST) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(TEST) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS) ## the pages, into docs/_build
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean: ## what the targets made, except .venv
	rm -rf build dist docs/_build docs/gallery docs/api/generated .pytest_cache .ruff_cache .hypothesis
