# Everything a person or CI does here. `make up` and `make test` need Python 3.11+, a C++ compiler and make.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
PYTEST_ARGS ?=
INIT_ARGS ?=
FUZZ_MINUTES ?= 10

.PHONY: help setup up init check test e2e bench fuzz dashboards lock clean

help:
	@echo "make up      install what is missing and start a cluster on this machine"
	@echo "make init    make what docker compose needs: .env and deploy/site/ (INIT_ARGS=\"--server-name NAME\")"
	@echo "make test    install what is missing, then the linters and every test"
	@echo "make setup   only install"
	@echo "make check   only the linters and the type checker"
	@echo "make e2e     only whole deployments: a real model, containers, Open WebUI in a browser (800 MB more)"
	@echo "make bench   measure"
	@echo "make fuzz    hostile input for every reader, FUZZ_MINUTES=10 each"
	@echo "make dashboards  write Grafana's JSON from tools/dashboards"
	@echo "make lock    pin the newest libraries that pyproject.toml allows"
	@echo "make clean   remove what was built"

setup:
	@test -n "$(PYTHON)" || { echo "Error: no Python 3.11 or newer found; try make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m tools.setup_env

up: setup
	@exec $(BIN)/corral up

init:
	@test -n "$(PYTHON)" || { echo "Error: no Python 3.11 or newer found; try make PYTHON=/path/to/python" >&2; exit 1; }
	@PYTHONPATH=cli $(PYTHON) -m corral init $(INIT_ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	@$(PYTHON) -m tools.setup_env tests
	@$(PYTHON) -m tools.debian_tools
	@$(PYTHON) -m tools.client_rooms
	$(BIN)/pytest $(PYTEST_ARGS)

e2e: setup
	@$(PYTHON) -m tools.setup_env tests
	@$(PYTHON) -m tools.debian_tools
	@$(PYTHON) -m tools.client_rooms open-webui
	$(BIN)/pytest tests/e2e tests/compose tests/browser $(PYTEST_ARGS)

bench: setup
	$(BIN)/python -m bench

fuzz: setup
	$(BIN)/python -m tools.fuzz --minutes $(FUZZ_MINUTES)

dashboards: setup
	$(BIN)/python -m tools.dashboards

lock: setup
	$(BIN)/python -m tools.lock

clean:
	rm -rf .venv tests/clients/litellm/.venv tests/clients/open-webui/.venv tests/clients/javascript/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist cli/build cli/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
