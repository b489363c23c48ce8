# make run: a gateway with a server behind it, on loopback. make test: every test. Both need only Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM := .npm
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run test lint types layers conformance wheel-smoke npm check clean

run: $(VENV)/.installed
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.installed-dev
	$(BIN)/python -m twisted.trial tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy -p mcpfront

layers: $(VENV)/.installed-dev
	$(BIN)/python -m twisted.trial tests.test_layers tests.test_sizes

conformance: $(VENV)/.installed-dev $(NPM)/.installed
	$(BIN)/python -m tests.conformance.run

wheel-smoke: $(VENV)/.installed-dev
	PYTHON=$(BIN)/python sh .ci/wheel-smoke

npm: $(NPM)/.installed

check: lint types test conformance wheel-smoke

clean:
	rm -rf $(VENV) $(NPM) .conformance build dist _trial_temp* *.egg-info

# editable_mode=compat: another mode hides the twistd plugin, which lies in the namespace package twisted.plugins
$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mcpfront needs Python 3.11 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable . --config-settings editable_mode=compat
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]' --config-settings editable_mode=compat
	@touch $@

$(NPM)/.installed: tests/npm/package.json tests/npm/package-lock.json tests/npm/.npmrc
	mkdir -p $(NPM)
	cp $^ $(NPM)/
	cd $(NPM) && npm ci --loglevel=error
	@touch $@
