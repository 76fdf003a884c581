# Everything runs in .venv, made on first use from requirements.lock; tests add requirements-test.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
TESTED := $(VENV)/ready-for-tests

.PHONY: help run test lint serve lab pictures lock clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: $(READY)    ## run the five steps on the built-in sample
	@$(BIN)/sinara run --params sample

test: lint       ## lint, types and the whole test suite
	@# One process per core, one thread each: more would only wait for each other.
	@OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

lint: $(TESTED)  ## lint, format, types, stripped notebooks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo
	@$(BIN)/nbstripout --verify --keep-id */*.ipynb

serve: $(READY)  ## serve the newest packed model on http://127.0.0.1:3000
	@$(BIN)/sinara serve

lab: $(READY)    ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab

pictures: $(TESTED)  ## make README's pictures from the newest run; the page's needs Chromium
	@$(BIN)/python docs/make_pictures.py
	@$(BIN)/python docs/page_picture.py

lock: $(READY)   ## write both locks anew from pyproject.toml
	@$(COMPILE) --extra notebook --extra vision --extra serve --extra s3 --output-file requirements.lock
	@$(COMPILE) --extra dev --constraints requirements.lock --output-file requirements-test.lock

clean:           ## remove .venv
	rm -rf $(VENV)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; set PYTHON=."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "This Python has no venv: on Debian and Ubuntu, apt install python3-venv."; exit 1; }
	@echo "Installing into $(VENV), once ..."
	@$(PYTHON) -m venv $(VENV)
	@# The lock is complete, so nothing is resolved; torch alone then adds the CUDA libraries its build asks for, if any.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(TESTED): $(READY) requirements-test.lock
	@echo "Adding what the tests need, once ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-test.lock
	@touch $@

COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.10 --no-annotate --no-header --quiet \
  $(addprefix --no-emit-package ,$(NOT_LOCKED))

# Left out of the lock: torch pins its CUDA libraries itself, and the CPU build has none.
NOT_LOCKED := opencv-python triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
  nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
