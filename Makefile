# Needs python3 (3.11 or newer) and make; uses uv when it is there.
.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint lock clean

PYTHON ?= python3
CVR := .venv/bin/cvr
STAMP := .venv/.set-up

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(STAMP) ## .venv with the locked dependencies, and .venv/bin/cvr

$(STAMP): requirements-dev.txt pyproject.toml
	@echo "Setting up .venv; this takes about a minute the first time."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || command -v uv >/dev/null || \
		{ echo "python3 cannot make virtual environments here: install python3-venv, or uv" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
		set -e; \
		test -x .venv/bin/python || uv venv --quiet --python $(PYTHON) .venv; \
		uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements-dev.txt; \
		uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .; \
	else \
		set -e; \
		test -x .venv/bin/pip || $(PYTHON) -m venv .venv; \
		export PIP_DISABLE_PIP_VERSION_CHECK=1; \
		.venv/bin/python -m pip install --quiet --require-hashes -r requirements-dev.txt; \
		.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

demo: setup ## the main job from nothing, in ./demo
	$(CVR) demo

test: setup ## all tests
	.venv/bin/python -m pytest -n 2

bench: setup ## the measured targets, each beside its ceiling
	$(CVR) bench

lint: setup ## format, lint, types, layers
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

lock: ## write the lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra build -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra build --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

clean: ## remove what was made, but no data
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
