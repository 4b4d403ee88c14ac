# `make demo` and `make test` need Python 3.10 to 3.13 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
COMMAND := $(BIN)/covid-monai
RUN := runs/demo

# make demo DATA=dir: your own prepared data set (a folder with dataset.json) instead of the phantom;
# PROTOCOL=paper where its patients are not known, VOLUME=file for the CT volume to segment,
# SETTINGS= to train the bundle as the paper does, which takes hours on a CPU
DATA ?= $(RUN)/data
PROTOCOL ?= grouped
VOLUME ?= $(RUN)/unseen/volumes/images/phantom_01.nii.gz
# small enough for two CPU cores and five minutes
SETTINGS ?= --set image_size=[128,128] --set channels=[32,64,128,128,128] --set loss_over_batch=true \
	--set epochs=40 --set batch_size=8 --set learning_rate=0.05 --set learning_rate_step=13 \
	--set learning_rate_factor=0.3
PHANTOM := --size 128 --slices 20
# a score is promised for the phantom alone
AT_LEAST := $(if $(filter $(RUN)/data,$(DATA)),--at-least 0.7)

.PHONY: install demo test test-all lint format docs clean

install: .venv/installed

.venv/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,export]'
	touch $@

demo: install
	rm -rf $(RUN)
	$(if $(AT_LEAST),$(COMMAND) data phantom -o $(DATA) --patients 8 $(PHANTOM))
	$(COMMAND) data phantom -o $(RUN)/unseen --patients 1 --seed 1 $(PHANTOM)
	$(COMMAND) data split $(DATA) -o $(RUN)/split.json --protocol $(PROTOCOL) --test-fraction 0.25
	$(COMMAND) train a_segnet --data $(DATA) --split $(RUN)/split.json -o $(RUN)/run $(SETTINGS)
	$(COMMAND) evaluate $(RUN)/run $(AT_LEAST)
	$(COMMAND) predict $(VOLUME) -o $(RUN)/masks --checkpoint $(RUN)/run --preview
	$(COMMAND) report $(RUN)/run -o $(RUN)/report.html \
		--volume $(VOLUME) $(RUN)/masks/$(basename $(basename $(notdir $(VOLUME)))).nii.gz
	@echo "Look at $(RUN)/report.html; the masks and a preview are in $(RUN)/masks."

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

test-all: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cluster]'
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "slow or not slow"

# the Python API's pages, from its docstrings: site/index.html
docs: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	rm -rf site
	$(BIN)/python -m pdoc --docformat google -o site covid_monai covid_monai.handlers covid_monai.networks.blocks

clean:
	rm -rf site $(RUN) build dist *.egg-info
