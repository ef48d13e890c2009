# Everything starts here: `make help` lists what there is.
PYTHON  ?= python3
PROFILE ?= demo
ROOT    ?=
WEIGHTS ?=
CORES   ?= all
SKIP_UNREADABLE ?=
ALLOW_MISSING ?=
PED2    ?=
SHANGHAITECH ?=
SHANGHAITECH_PUBLISHED ?=
SCENE01 ?=

# What is recorded in book/recorded: a profile, then its notebooks.
RECORD_LABELS := shanghaitech-labels 22_labels_alone
RECORD_PUBLISHED := shanghaitech-published 29_shanghaitech
RECORD_RESNET := ped2 02_padim 25_choices
RECORD_PED2 := ped2-offline 02_padim 03_gradcam_ssim 04_clip_prototypes 10_motion 20_as_run 21_claims 23_protocols 25_choices 28_networks 24_same_labels
RECORD_SCENE01 := scene01 02_padim 03_gradcam_ssim 05_spade 04_clip_prototypes 10_motion

unexport PYTHONHOME PYTHONPATH PYTHONWARNINGS  # of another Python: ours would not start with them

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help book test test-long lint bench bench-gpu rehearsal world record clean

help:  ## list the targets
	@echo "make TARGET [PROFILE=demo] [ROOT=data set's folder] [WEIGHTS=file] [CORES=all] [PYTHON=python3]"
	@echo "  SKIP_UNREADABLE=1 leaves clips and frames that cannot be read out of the book, and names them, instead of stopping"
	@echo "  ALLOW_MISSING=1 makes the book of an incomplete copy of a data set, and says what is missing"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "profiles:$(patsubst notebooks/profiles/%.yml, %,$(wildcard notebooks/profiles/*.yml))"

book: $(INSTALLED)  ## run the notebooks that are out of date and build the report
	@$(BIN)/vadlib book --profile "$(PROFILE)" --root "$(ROOT)" --weights "$(WEIGHTS)" --cores "$(CORES)" $(if $(filter-out 0,$(SKIP_UNREADABLE)),--skip-unreadable) $(if $(filter-out 0,$(ALLOW_MISSING)),--allow-missing)

test: $(INSTALLED) lint  ## lint, then every test that takes seconds
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(INSTALLED)  ## the tests that take minutes
	@$(BIN)/pytest -m long

lint: $(INSTALLED)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(INSTALLED)  ## time the library beside what a user would pick instead (installs anomalib)
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	@$(BIN)/pytest benchmarks -p no:cacheprovider -o addopts="-q -s"

# Not installed first: a machine with a GPU may have no network, and a Python of its own.
bench-gpu:  ## on a GPU: scores beside the CPU's, speed, memory; ARGS='--device cpu --quick' tries it without one
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu.py $(ARGS)

rehearsal: $(INSTALLED)  ## run the paper's profile at its full size on a stand-in for its data, and measure it; ARGS='--scale 0.05' for a try
	@$(BIN)/python tools/rehearse.py $(ARGS)

world: $(INSTALLED)  ## write the demo's videos alone, to _build/demo/data
	@$(BIN)/vadlib synth _build/demo/data

record: $(INSTALLED)  ## make the recorded runs anew: PED2=folder SHANGHAITECH=folder SHANGHAITECH_PUBLISHED=folder SCENE01=folder [WEIGHTS=file of ResNet-18]
	@$(BIN)/vadlib record $(RECORD_LABELS) --root "$(SHANGHAITECH)" --cores "$(CORES)"
	@$(BIN)/vadlib record $(RECORD_PUBLISHED) --root "$(SHANGHAITECH_PUBLISHED)" --cores "$(CORES)"
	@$(BIN)/vadlib record $(RECORD_RESNET) --root "$(PED2)" --weights "$(WEIGHTS)" --cores "$(CORES)"
	@$(BIN)/vadlib record $(RECORD_PED2) --root "$(PED2)" --cores "$(CORES)"
	@$(BIN)/vadlib record $(RECORD_SCENE01) --root "$(SCENE01)" --cores "$(CORES)"

clean:  ## remove everything generated, but not .venv
	rm -rf _build .snakemake

$(INSTALLED): pyproject.toml constraints.txt tools/check_machine.py
	@$(PYTHON) tools/check_machine.py .venv
	@echo "installing into .venv (some minutes, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,test,offline]'
	@touch $@
