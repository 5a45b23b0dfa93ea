# Each target is one line: the work is in run.py, which needs no make.
PYTHON ?= python3

.PHONY: help demo test check bench docs format snapshots clean

help:
	@$(PYTHON) run.py --help
demo:
	$(PYTHON) run.py demo
test:
	$(PYTHON) run.py test
check:
	$(PYTHON) run.py check
bench:
	$(PYTHON) run.py bench
docs:
	$(PYTHON) run.py docs
format:
	$(PYTHON) run.py format
snapshots:
	$(PYTHON) run.py snapshots
clean:
	rm -rf .venv dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
