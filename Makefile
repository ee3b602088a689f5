# Everything runs in .venv, which the first target makes. Needs Python 3.11 or later and make; nothing else.

PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check

RECENT := import sys; sys.exit(sys.version_info < (3, 11))
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

# `demo` prints the address that `run` serves.
export PORT
# Settings are named where it matters which; what the shell happens to hold is not.
unexport DJANGO_SETTINGS_MODULE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test test-faults bench-as-of bench-customers bench-duplicates bench-import check lint types imports migrations deploy schema format lock clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; \
	done

# --- Use -------------------------------------------------------------------------------------------------------------

run: $(VENV)/.modules ## Set everything up, load the demo, serve on http://127.0.0.1:8000/ (PORT=8001 for another)
	@$(PY) -c 'import socket, sys; from contextlib import closing as c; s = socket.socket(); \
		s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1])))' $(PORT) 2>/dev/null \
		|| { echo "Port $(PORT) cannot be used: choose another, for example make run PORT=8001" >&2; exit 1; }
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py demo
	@trap "exit 0" INT; DJANGO_RUNSERVER_HIDE_WARNING=true $(PY) -m config.serve 127.0.0.1:$(PORT)

test: $(VENV)/.dev ## Run every test on SQLite and on a real PostgreSQL (DATABASE_URL names one, else our own)
	@$(PY) -m tests.run_suite

test-faults: $(VENV)/.dev ## Run the long tests on both databases: many at once, and what breaks on purpose
	@$(PY) -m tests.run_suite -n 0 -m faults -s

bench-as-of: $(VENV)/.dev ## Measure how a platform of the past is read among 10 million versions (minutes, 6 GB of disk)
	@$(PY) -m tests.postgres -- $(CURDIR)/$(PY) -m benchmarks.as_of

bench-customers: $(VENV)/.dev ## Measure how customers are found among a million (minutes)
	@$(PY) -m tests.postgres -- $(CURDIR)/$(PY) -m benchmarks.customers

bench-duplicates: $(VENV)/.dev ## Measure how duplicates are found among a million customers (minutes)
	@$(PY) -m tests.postgres -- $(CURDIR)/$(PY) -m benchmarks.duplicates

bench-import: $(VENV)/.dev ## Measure how 100,000 customers come in from a file and go out again, on both databases (minutes)
	@LOG_LEVEL=WARNING $(PY) -m benchmarks.imports
	@LOG_LEVEL=WARNING $(PY) -m tests.postgres -- $(CURDIR)/$(PY) -m benchmarks.imports

# --- Work ------------------------------------------------------------------------------------------------------------

check: lint types imports migrations deploy schema ## Everything that is checked without running the tests

lint: $(VENV)/.dev ## Style: ruff
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev ## Types: mypy
	$(VENV)/bin/mypy

imports: $(VENV)/.dev ## Directions of imports: import-linter
	$(VENV)/bin/lint-imports

migrations: $(VENV)/.dev ## Models and migrations agree
	DATABASE_URL=sqlite://:memory: $(PY) manage.py makemigrations --check --dry-run

deploy: $(VENV)/.dev ## Production settings are sound; keys are made up on the spot, no database is asked
	SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(64))') \
	MODULE_CONFIG_KEYS=$$($(PY) -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())') \
	ALLOWED_HOSTS=switchyard.example DATABASE_URL=postgresql://switchyard@localhost/switchyard \
	DJANGO_SETTINGS_MODULE=config.settings.prod $(PY) manage.py check --deploy --fail-level WARNING

schema: $(VENV)/.dev ## The OpenAPI document is valid, and nothing in it had to be guessed
	DATABASE_URL=sqlite://:memory: $(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(VENV)/.dev ## Put the code in shape: ruff
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

COMPILE := UV_CUSTOM_COMPILE_COMMAND='make lock' $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links $(UPGRADE)

lock: $(VENV)/.dev ## Compile requirements*.txt anew from requirements*.in (UPGRADE=--upgrade for newer versions)
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt

clean: ## Remove what was made: environment, demo database, caches
	rm -rf $(VENV) db.sqlite3 db.sqlite3-wal db.sqlite3-shm staticfiles test-results \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- The environment: each file says that a step is done, and when -----------------------------------------------------

# A Python that has gone (an upgrade of the system, say) takes the environment with it.
ifneq ($(shell $(PY) -c 'print("here")' 2>/dev/null),here)
.PHONY: $(VENV)/.python
endif

$(VENV)/.python:
	@if $(PY) -c '$(RECENT)' 2>/dev/null && $(PY) -m pip --version >/dev/null 2>&1; then touch $@; exit 0; fi; \
	bare=''; \
	for python in $(CANDIDATES); do \
		"$$python" -c '$(RECENT)' >/dev/null 2>&1 || continue; \
		if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$("$$python" --version)"; \
			"$$python" -m venv --clear $(VENV) && touch $@; exit; \
		fi; \
		bare="$$bare $$python"; \
	done; \
	if [ -n "$$bare" ]; then \
		echo "These cannot make a virtual environment:$$bare. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
		echo "Switchyard needs Python 3.11 or later; tried: $(CANDIDATES)." >&2; \
		echo "Install it, or say where it is: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1

$(VENV)/.requirements: requirements.txt $(VENV)/.python
	@echo "Installing what Switchyard needs (requirements.txt, every file checked by its hash)"
	@$(PIP) install --quiet --require-hashes -r requirements.txt
	@touch $@

# Modules from outside the tree, as a third party would install them; editable, so that changes count at once.
THIRD_PARTY := $(wildcard tests/third_party/*/pyproject.toml)

$(VENV)/.modules: $(THIRD_PARTY) $(VENV)/.requirements
	@echo "Installing the modules in tests/third_party"
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index $(patsubst %/pyproject.toml,-e %,$(THIRD_PARTY))
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.modules
	@echo "Installing what tests and checks need (requirements-dev.txt)"
	@$(PIP) install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
