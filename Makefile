# `make demo` and `make test` need Python 3.10 to 3.13 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
# a prepared data set (a folder with dataset.json); without one, the phantom is drawn
DATA ?= $(RUN)/data
VOLUME ?= $(firstword $(wildcard $(DATA)/volumes/images/*.nii.gz))

.PHONY: install demo test test-all lint format clean

install: $(VENV)/installed

$(VENV)/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement constraints-torch.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,export]'
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: install
	$(BIN)/pytest

test-all: install
	$(BIN)/pytest -m "slow or not slow"

clean:
	rm -rf $(RUN) build dist *.egg-info
