# Polyvox. `make up` runs the whole engine on this machine; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
GROUPS := gateway runner retrieval feedback webhook-dispatcher local dev

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The environment is made anew whenever its lock changes.
.venv/.locked: deploy/locks/dev.txt deploy/locks/uv.txt
	@echo "Making .venv (once; about 20 seconds)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Polyvox needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 env"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r deploy/locks/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r deploy/locks/dev.txt
	@touch $@

.PHONY: env
env: .venv/.locked ## make .venv/ with everything that running, testing and measuring need

.PHONY: lock
lock: env ## write deploy/locks/ from pyproject.toml, with hashes and without any index address
	@for group in $(GROUPS); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --group $$group -o deploy/locks/$$group.txt || exit 1; done
