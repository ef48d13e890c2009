# Everything starts here: `make help` lists what there is.
PYTHON  ?= python3
PROFILE ?= demo
ROOT    ?=
WEIGHTS ?=
CORES   ?= all

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help book test test-long lint bench world clean

help:  ## list the targets
	@echo "make TARGET [PROFILE=demo] [ROOT=data set's folder] [WEIGHTS=file] [CORES=all] [PYTHON=python3]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "profiles:$(patsubst notebooks/profiles/%.yml, %,$(wildcard notebooks/profiles/*.yml))"

book: $(INSTALLED)  ## run the notebooks that are out of date and build the report
	@$(BIN)/vadlib book --profile "$(PROFILE)" --root "$(ROOT)" --weights "$(WEIGHTS)" --cores "$(CORES)"

test: $(INSTALLED) lint  ## lint, then every test that takes seconds
	@$(BIN)/pytest

test-long: $(INSTALLED)  ## the tests that take minutes
	@$(BIN)/pytest -m long

lint: $(INSTALLED)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(INSTALLED)  ## time the library beside what a user would pick instead (installs anomalib)
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	@$(BIN)/pytest benchmarks -p no:cacheprovider -o addopts="-q -s"

world: $(INSTALLED)  ## write the demo's videos alone, to _build/demo/data
	@$(BIN)/vadlib synth _build/demo/data

clean:  ## remove everything generated, but not .venv
	rm -rf _build .snakemake

$(INSTALLED): pyproject.toml constraints.txt tools/check_machine.py
	@$(PYTHON) tools/check_machine.py .venv
	@echo "installing into .venv (some minutes, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,test,offline]'
	@touch $@
