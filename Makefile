# A user needs Python 3.11 to 3.13, make and the package index; nothing here needs root.
PYTHON ?=
DATA ?=
RATED_AH ?=
WORKERS ?= 2
BIN := .venv/bin
MEASUREMENT := $(CURDIR)/.cache/measurement
ENGINE := $(CURDIR)/.cache/engine/cometbft

.DEFAULT_GOAL := help
.PHONY: help demo serve network network-engine test explore bench lint lock clean environment test-environment measurement realdata

help: ## Say what can be done here
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 /p' Makefile | awk '{ name = $$2; $$1 = $$2 = ""; printf "  make %-15s%s\n", name, $$0 }'
	@echo '  PYTHON=python3.12 chooses the Python; make demo DATA=file RATED_AH=33.1 uses your own measurement.'

demo: environment $(if $(DATA),,measurement) ## From a real cycler file to a passport with an offline proof
	@CELLVOW_MEASUREMENT='$(MEASUREMENT)' $(BIN)/cellvow demo $(if $(DATA),--data '$(DATA)') $(if $(RATED_AH),--rated-ah '$(RATED_AH)')

serve: environment ## Show the pages the demo made, until interrupted
	@$(BIN)/cellvow serve

network: environment network-engine ## Four members of a consortium: found, use, kill one, prove
	@CELLVOW_COMETBFT='$(ENGINE)' $(BIN)/cellvow network try .cache/network --fresh

network-engine: environment ## Build the consortium's engine, CometBFT, at its pinned version
	@$(BIN)/python tools/engine.py

test: lint realdata ## Check style, types and layers, then run the tests
	@echo 'cellvow: running the tests'
	@CELLVOW_MEASUREMENT='$(MEASUREMENT)' $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

explore: test-environment realdata ## Run every suite at full size (long)
	@echo 'cellvow: running every suite at full size'
	@CELLVOW_EXPLORE=1 CELLVOW_MEASUREMENT='$(MEASUREMENT)' $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

bench: environment ## Measure what the ledger costs and write docs/results.md; ONLY=name measures one
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only '$(ONLY)')

lint: test-environment ## Check style, types and layers
	@echo 'cellvow: checking style (ruff), types (mypy) and layers (import-linter)'
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . || \
		{ echo 'cellvow: many of these are mended by: $(BIN)/ruff check --fix . && $(BIN)/ruff format .'; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .cache/import-linter --no-logo

lock: ## Write the locks anew (needs uv; UPGRADE=1 takes newer versions)
	@sh tools/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## Remove what make has made: .venv, caches, build results
	@echo 'cellvow: removing .venv, .cache and build results'
	@rm -rf .venv .cache build dist .hypothesis

environment:
	@PYTHON='$(PYTHON)' sh tools/environment.sh run

test-environment:
	@PYTHON='$(PYTHON)' sh tools/environment.sh test

measurement: environment
	@$(BIN)/python tools/measurement.py

realdata: test-environment
	@$(BIN)/python tools/measurement.py --tests
