# make run: from a bare clone to a working call centre in the foreground. See README.md.
SHELL := /bin/bash
export PYTHON ?= python3
BIN := .venv/bin

.PHONY: run setup test lint bench clean lock

run: setup
	@exec $(BIN)/callcenter run

# System packages (apt-get when root), virtual environment, front-end assets, Asterisk; instant when all is there.
setup:
	@bash setup/setup.sh run

# Tests without a switch take turns on every core, a file at a time, the longest first; those with a switch run two at a
# time, for they mostly wait; those with a browser have the machine to themselves.
# make test ARGS="…" for pytest's own options; for some of the tests, .venv/bin/pytest PATH.
LONGEST := tests/flow/test_unseen.py tests/flow/test_rollups.py
test:
	@bash setup/setup.sh test
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(LONGEST) tests/stores tests/flow tests/unit $(ARGS); first=$$?; \
	$(BIN)/pytest -n 2 --dist loadfile tests/switch $(ARGS); second=$$?; \
	$(BIN)/pytest tests/browser $(ARGS); exit $$((first | second | $$?))

lint:
	@bash setup/setup.sh lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/pytest -q tests/unit/test_layout.py

# make bench ONLY=name for one of them.
bench:
	@bash setup/setup.sh test
	@exec $(BIN)/python -m benchmarks $(ONLY)

# Exact versions anew, from what setup.cfg allows.
lock:
	@bash setup/setup.sh lock

# All that was made here but var/, which holds the centre's own data.
clean:
	rm -rf build dist node_modules agent_desktop/static/vendor .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
