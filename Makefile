# Everything a person does with a checkout, one line each. Needs Python 3.11 or later, make and a C compiler.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo serve test test-others lock-others test-long stalls mutants check docs docs-serve docs-test bench protos freeze-contract contract format lock clean dist
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.lock pyproject.toml clients/python/pyproject.toml
	@echo "Installing into .venv (once; about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r <(sed -n '/^uv==/,/[^\\]$$/p' requirements.lock)
	@UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e clients/python -e .
	@touch $@

demo: $(READY) ## train, push, promote and serve a model, from nothing
	@$(BIN)/python examples/demo.py

serve: $(READY) ## start a server with the embedded default
	@$(BIN)/modelyard-server serve

test: $(READY) ## all tests
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

docs-test: $(READY) ## run every command of the documentation against a real server, and check all links
	@$(BIN)/pytest -n 2 tests/docs

.venv-others/.ready: tests/others/requirements.lock | $(READY)
	@echo "Installing other projects' packages into .venv-others (once; 1 GB) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-others
	@UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync --quiet --python .venv-others/bin/python --require-hashes $<
	@$(BIN)/uv pip install --quiet --python .venv-others/bin/python --no-deps -e clients/python
	@touch $@

test-others: $(READY) .venv-others/.ready ## tests with the real MLflow and Hugging Face datasets; not part of 'make test'
	@$(BIN)/pytest tests/others

test-long: $(READY) ## what tests do at random or many times, ten times as often; an hour
	@MODELYARD_TEST_SCALE=10 HYPOTHESIS_PROFILE=long $(BIN)/pytest -n 2 --dist loadfile --timeout 3600 \
		tests/kill tests/faults tests/load tests/property

stalls: $(READY) ## how long the largest calls hold up the event loop of a server
	@$(BIN)/python -m benchmarks.stalls

mutants: $(READY) ## seed known bugs, and see each caught by a test
	@$(BIN)/python tests/mutants/run.py

check: $(READY) ## format, lint, types, imports between folders, contract, also against the released one
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd protos && ../$(BIN)/buf format --diff --exit-code
	@$(BIN)/python protos/generate.py --check
	@$(BIN)/python clients/python/tools/generate_sync.py --check
	@$(MAKE) --no-print-directory docs

docs: $(READY) ## build the documentation into dist/site, its reference from the code; a broken link is an error
	@$(BIN)/python -m tools.reference
	@$(BIN)/zensical build --strict

docs-serve: $(READY) ## show the documentation at localhost:8000, and again after each change of a page
	@$(BIN)/python -m tools.reference
	@$(BIN)/zensical serve

format: $(READY) ## put the code into its standard form
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix . && cd protos && ../$(BIN)/buf format -w

protos: $(READY) ## write the generated stubs and the sync client
	@$(BIN)/python protos/generate.py && $(BIN)/python clients/python/tools/generate_sync.py

freeze-contract: $(READY) ## at a release: later changes must not break the contract as it is now
	@$(BIN)/python protos/generate.py --freeze

contract: $(READY) ## build dist/modelyard-contract-VERSION.zip: what other languages, proxies and gateways need
	@$(BIN)/python protos/bundle.py

dist: $(READY) ## build the wheels and source archives of the SDK and the server into dist/
	@$(BIN)/uv build --quiet --all-packages --no-build-isolation --python $(BIN)/python --out-dir dist
	@ls dist/*.whl dist/*.tar.gz

.venv-peers/.ready: benchmarks/requirements-peers.lock | $(READY)
	@echo "Installing what is measured against into .venv-peers (once) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-peers
	@UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync --quiet --python .venv-peers/bin/python --require-hashes $<
	@touch $@

bench: $(READY) .venv-peers/.ready ## measure against floors and against MLflow; writes benchmarks/README.md
	@$(BIN)/python -m benchmarks

# Everything for people who work on it, and what the server needs to run, for the image.
EXPORT := $(BIN)/uv export --quiet --frozen --no-annotate --no-header --no-emit-workspace --format requirements-txt

lock: $(READY) ## write the lock files from the pyproject files; no registry host gets into them
	@env -u UV_INDEX -u UV_DEFAULT_INDEX $(BIN)/uv lock --quiet
	@$(EXPORT) --all-packages --all-groups --all-extras -o requirements.lock
	@$(EXPORT) --package modelyard-server --no-dev -o requirements-server.lock

# The packages that both have keep the versions of requirements.lock.
lock-others: $(READY) ## write tests/others/requirements.lock
	@env -u UV_INDEX -u UV_DEFAULT_INDEX $(BIN)/uv pip compile --quiet --generate-hashes --no-annotate --no-header \
		--constraints requirements.lock --python-version 3.11 -o tests/others/requirements.lock \
		tests/others/requirements.in clients/python/pyproject.toml

clean: ## remove what the targets above made
	@rm -rf .venv .venv-peers .venv-others dist .cache docs/reference clients/python/dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
