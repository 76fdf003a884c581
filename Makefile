# Everything runs in .venv, made on first use from requirements.lock; tests add requirements-test.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
TESTED := $(VENV)/ready-for-tests

.PHONY: help run test quick lint tables serve lab pictures lock clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: $(READY)    ## run the five steps on the built-in sample
	@$(BIN)/sinara run --params sample

test: lint       ## lint, types and the whole test suite
	@# One process per core, one thread each: more would only wait for each other.
	@OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

quick: lint      ## lint, types and the tests that need no kernel, server, training or process of their own
	@OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile -m "not slow"

lint: $(TESTED)  ## lint, format, types, imports, declared packages, stripped notebooks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(call quietly,PYTHONPATH=. $(BIN)/lint-imports --no-logo)
	@# What is imported is declared, in the core or in an extra that these rooms may use: not in those named here.
	@$(call declared,notebook vision serve s3 dev,sinara_lib --extend-exclude '$(WITH_EXTRAS)')
	@$(call declared,vision serve s3 dev,sinara_lib/runs sinara_lib/reports)
	@$(call declared,notebook serve s3 dev,sinara_lib --extend-exclude 'sinara_lib/(runs|reports|bento|container)/')
	@$(call declared,notebook vision s3 dev,sinara_lib/bento sinara_lib/container)
	@$(call declared,serve s3 dev,data_load data_prep model_train)
	@$(call declared,s3 dev,model_pack model_eval)
	@# And what is declared is used.
	@$(call quietly,$(BIN)/deptry . --ignore $(call commas,DEP001 DEP003 DEP004) --optional-dependencies-dev-groups dev)
	@$(BIN)/nbstripout --verify --keep-id */*.ipynb

tables: $(READY) ## write the tables of parameters into the steps' READMEs
	@for step in data_load data_prep model_train model_pack model_eval; do $(BIN)/sinara params $$step --write; done

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
	@# The lock is complete, so nothing is resolved, and each file must have one of its hashes.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@# torch alone has none: its builds for CPU and GPU are one version, and the one for GPU adds its CUDA libraries.
	@$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep -oE '^ *"torch==[^"]+' pyproject.toml | tr -d ' "')"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# A step of SinaraML may hold an empty folder `sinara`; what lies on the path wins over it, an editable install does not.
	@echo "$(CURDIR)/sinara_lib/compat/imported_as" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sinara.pth"
	@touch $@

$(TESTED): $(READY) requirements-test.lock
	@echo "Adding what the tests need, once ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-test.lock
	@touch $@

# Keeps a checker's words until it finds something.
quietly = found=$$($(1) 2>&1) || { echo "$$found"; exit 1; }
declared = $(call quietly,$(BIN)/deptry $(2) --no-ansi --ignore DEP002 --optional-dependencies-dev-groups $(call commas,$(1)))
commas = $(subst $() ,$(COMMA),$(1))
COMMA := ,
WITH_EXTRAS := sinara_lib/(runs/(notebook|kernels|python_file)|compat/|reports/|vision/|downloads/|loopback|bento/|container/)

COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.10 --no-annotate --no-header --quiet \
  --generate-hashes $(addprefix --no-emit-package ,$(NOT_LOCKED))

# Left out of the lock: torch, see above; it pins its CUDA libraries itself, and the CPU build has none.
NOT_LOCKED := torch opencv-python triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
  nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
