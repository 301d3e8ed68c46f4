# Shorthands for the commands in README.md. `make setup` makes .venv for all of them.
.PHONY: setup run test quick check tables visit bench
PYTHON := .venv/bin/python

setup: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt
	python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt
	touch $@

run: setup
	.venv/bin/streamlit run app.py

test: setup
	$(PYTHON) -m pytest -n 2

quick: setup
	$(PYTHON) -m pytest -m "not engine and not browser"

check: setup
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

tables: setup
	$(PYTHON) tools/tables.py
	$(PYTHON) tools/operations.py

visit: setup
	$(PYTHON) tools/visit.py out/visit

bench: setup
	$(PYTHON) benchmarks/gradient.py --json
	$(PYTHON) benchmarks/browser.py --json
	$(PYTHON) benchmarks/opening.py --json
