# `make run` and `make test` work on a bare machine: Python 3.11 or newer, git, make. Everything goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Start-up time counts on compiled bytecode, wherever this is run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check floors lint types schema golden bench clean help

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

run: .venv/.run  ## install and run the example pipeline
	$(BIN)/runner run pipelines/train.yaml

test: .venv/.dev  ## install what the tests need and run them all
	$(BIN)/python -m pytest -n auto
	$(MAKE) --no-print-directory check

check: lint types floors

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

floors: .venv/.dev  ## who may import whom
	$(BIN)/python -m pytest -p no:cacheprovider tests/test_floors.py

schema: .venv/.dev  ## write schema/ anew from the models
	$(BIN)/runner schema --write schema

golden: .venv/.dev  ## write the expected texts of the tests anew; look at the difference before committing it
	$(BIN)/python -m pytest -n auto --golden

bench: .venv/.dev  ## time the runner beside the floor and its peers
	$(BIN)/python bench/run.py

clean:
	rm -rf .venv .runner build dist

.venv/.made:
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "error: '$(PYTHON) -m venv' failed. On Debian: apt-get install python3-venv;" \
	    "or name another Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip uv
	@touch $@

.venv/.run: .venv/.made pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[examples]'
	@touch $@

.venv/.dev: .venv/.made pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]'
	@touch $@ .venv/.run
