# `make demo` and `make test` need Python 3.10 to 3.13 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
COMMAND := $(BIN)/covid-monai
RUN := runs/demo

# `make demo` draws a phantom, trains a small A-SegNet on it, scores it on patients held out, and segments another one.
# Its variables:
#   DATA=dir        your own prepared data set (a folder with dataset.json) instead of the phantom
#   PROTOCOL=paper  how to split it where its patients are not known; else grouped, by patient
#   VOLUME=file     a CT volume or slice in HU to segment; else the first volume of DATA, or its first slices
#   CT=path         a CT study (DICOM folder, NIfTI) for the shipped model; else the unseen phantom
#   SETTINGS=       train the bundle as the paper does, which takes hours on a CPU; or settings of your own
DATA ?= $(RUN)/data
PROTOCOL ?= grouped
# small enough for two CPU cores and five minutes, without bfloat16 too
SETTINGS ?= --set image_size=[128,128] --set channels=[16,32,64,64,64] --set convolutions=[1,1,2,2,2] \
	--set loss_over_batch=true --set epochs=24 --set batch_size=4 --set learning_rate=0.05 \
	--set learning_rate_step=8 --set learning_rate_factor=0.3
PHANTOM := --size 128 --slices 20

OWN := $(filter-out $(RUN)/data,$(DATA))
ifdef OWN
# as the manifest says, preparing has brought the intensities to HU
INTENSITY := $(if $(VOLUME),,--intensity hu)
VOLUMES := $(sort $(wildcard $(DATA)/volumes/images/*.nii*))
VOLUME ?= $(if $(VOLUMES),$(firstword $(VOLUMES)),$(wordlist 1,8,$(sort $(wildcard $(DATA)/images/*.nii*))))
else
VOLUME ?= $(RUN)/unseen/volumes/images/phantom_01.nii.gz
# a score is promised for the phantom alone, 0.05 under the lowest of three seeds in float32 and in bfloat16
AT_LEAST := --at-least 0.6
endif
SHIPPED := bundles/covid_lesion_ct_segmentation
CT ?= $(if $(OWN),,$(RUN)/unseen/volumes/images/phantom_01.nii.gz)
SHOWN := $(firstword $(VOLUME))
MASK := $(RUN)/masks/$(patsubst %.nii,%,$(patsubst %.gz,%,$(notdir $(SHOWN)))).nii.gz

# OpenMP's threads sleep while they wait: spinning ones slow a training step over three times as soon as another process runs
export OMP_WAIT_POLICY := passive

.PHONY: install demo model test test-all gpu-check fuzz lint format docs clean

install: .venv/installed

.venv/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,export,openvino]'
	touch $@

demo: install
	rm -rf $(RUN)
ifndef OWN
	$(COMMAND) data phantom -o $(DATA) --patients 8 $(PHANTOM)
	$(COMMAND) data phantom -o $(RUN)/unseen --patients 1 --seed 1 $(PHANTOM)
endif
	$(COMMAND) data split $(DATA) -o $(RUN)/split.json --protocol $(PROTOCOL) --test-fraction 0.25
	$(COMMAND) train a_segnet --data $(DATA) --split $(RUN)/split.json -o $(RUN)/run $(SETTINGS)
	$(COMMAND) evaluate $(RUN)/run $(AT_LEAST)
	$(COMMAND) predict $(VOLUME) -o $(RUN)/masks --run $(RUN)/run --preview $(INTENSITY)
	$(if $(CT),$(COMMAND) predict $(CT) -o $(RUN)/shipped --measure)
	$(COMMAND) report $(RUN)/run -o $(RUN)/report.html --volume $(SHOWN) $(MASK)
	@echo "Look at $(RUN)/report.html; the masks and a preview are in $(RUN)/masks$(if $(CT),; the shipped model's are in $(RUN)/shipped)."

# the shipped model again, from its prepared training data (bundles/covid_lesion_ct_segmentation/docs/README.md)
MODEL_DATA ?= data/model

model: install
	OMP_NUM_THREADS=1 $(BIN)/python -m monai.bundle run --config_file $(SHIPPED)/configs/train.yaml \
		--bundle_root $(SHIPPED) --dataset_dir $(MODEL_DATA) --split_file "''" --output_dir runs/model \
		--validation_interval 20
	$(BIN)/python -m tests.benchmarks.ship_model runs/model

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

# what a GPU computes, held against the CPU: training, scores, masks, resuming, export, two processes, the benchmark
GPU ?= cuda:0

gpu-check: install
	CHECKED_DEVICE=$(GPU) $(BIN)/pytest -m "slow or not slow" tests/device

# each reader of files for so many seconds against bytes that try all its branches (what it does not refuse in one line is
# left in runs/fuzz), then a hundred commands killed at moments that the seed draws; the same seed draws the same.
# Needs Linux and Python 3.11 or later
FUZZ_SECONDS ?= 60
SEED ?= $(shell date +%s)

fuzz: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	for reader in nifti picture csv json yaml; do \
		$(BIN)/python -m tests.fuzz $$reader runs/fuzz -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done
	KILLS=100 SEED=$(SEED) OMP_NUM_THREADS=1 $(BIN)/pytest -s -m "slow or not slow" tests/faults/test_kills.py

# the Python API's pages, from its docstrings: site/index.html
docs: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	rm -rf site
	$(BIN)/python -m pdoc --docformat google -o site covid_monai covid_monai.handlers covid_monai.networks.blocks

clean:
	rm -rf site $(RUN) build dist *.egg-info
