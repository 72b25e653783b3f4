# Liên Thông. `make` alone lists what can be made; everything happens inside this folder.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PROVINCE ?= var/province
ROUNDS ?= 50
# Processes that share the suite; a file is never split. One more than the usual two cores: many tests wait.
JOBS ?= 3
BENCH ?=

.PHONY: help setup check test kill chaos bench bench-cluster bench-documents bench-directory large lines faults demo run states lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sort -u | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(STAMP) ## install everything into .venv and leave .venv/bin/lgsp (does nothing when up to date)

# Python from 3.11 with venv; on Debian and Ubuntu the latter is a package of its own, installed here when we may.
$(STAMP): requirements-dev.txt pyproject.toml gateway/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Cần Python từ 3.11 trở lên; hãy cài đặt rồi chạy lại, ví dụ: make setup PYTHON=python3.12" >&2; \
	  echo "Python 3.11 or newer is needed; install it and run again, for example: make setup PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      "$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
	  fi; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python này thiếu mô-đun venv; quản trị viên máy hãy cài, ví dụ: apt install python3-venv" >&2; \
	  echo "This Python lacks venv; the machine's administrator installs it, for example: apt install python3-venv" >&2; \
	  exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

check: $(STAMP) ## format, lint, types and floors: changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floors.py

test: $(STAMP) ## the whole suite (with CI=true a skipped test is a failed one)
	@# Hundreds of gateways are started: none of them should have to compile the program first.
	@$(BIN)/python -m compileall -q gateway adapters tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

states: $(STAMP) ## draw the table of a delivery's states into ARCHITECTURE.md
	.venv/bin/python -m tests.draw_states

kill: $(STAMP) ## kill the gateway at every write point, ROUNDS times each (50)
	$(BIN)/python -m pytest tests/kill --rounds=$(ROUNDS)

chaos: $(STAMP) ## several gateways while all around them fails: MESSAGES (3000) a round, ROUNDS (1), SEED (by chance)
	@$(BIN)/python -m tests.chaos --messages $(or $(MESSAGES),3000) $(if $(SEED),--seed $(SEED)) \
	  --rounds $(if $(filter-out file default,$(origin ROUNDS)),$(ROUNDS),1)

bench: $(STAMP) ## the speed of the bus on this machine; one figure: make bench BENCH='--only latency'
	@$(BIN)/lgsp bench $(BENCH)

bench-cluster: $(STAMP) ## one and two processes, embedded and over PostgreSQL and RabbitMQ, in one run
	$(BIN)/python -m tests.measure_cluster

bench-documents: $(STAMP) ## documents of 200 KB from a folder to the national axis: DOCUMENTS (500), memory, how long a year takes
	$(BIN)/python -m tests.measure_documents --documents $(or $(DOCUMENTS),500)

bench-directory: $(STAMP) ## a directory of 120,000 agencies: start, memory, look-ups and searches
	$(BIN)/python -m tests.measure_directory

lines: $(STAMP) ## dossiers and uploads behind lines that are away, narrow and cut: nothing lost, nothing doubled
	$(BIN)/python -m pytest -q tests/soak/bad_lines.py

large: $(STAMP) ## a document with an attachment of MEGABYTES (150) from folder to folder: time and memory it takes
	$(BIN)/python -m tests.measure_edxml_memory --megabytes $(or $(MEGABYTES),150)

faults: $(STAMP) ## a disk really full and one whose syncs fail, under a running gateway (needs root and strace)
	$(BIN)/python -m pytest tests/store/test_injected_faults.py tests/store/dying_disk.py

demo: $(STAMP) ## a small province on this machine: a story that ends by itself
	@$(BIN)/lgsp demo

run: $(STAMP) ## serve a province folder, made on the fly if absent (PROVINCE=var/province)
	@[ -e $(PROVINCE)/lgsp.toml ] || { mkdir -p $(dir $(PROVINCE)); $(BIN)/lgsp init $(PROVINCE); }
	$(BIN)/lgsp -C $(PROVINCE) apply
	exec $(BIN)/lgsp -C $(PROVINCE) serve

# Names, versions and hashes for every platform; a version already locked stays unless UPGRADE asks otherwise:
# make lock UPGRADE=--upgrade, or UPGRADE='--upgrade-package lxml'.
LOCK = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE)

lock: ## write requirements*.txt anew from pyproject.toml (needs the network)
	@[ -x .venv-lock/bin/uv ] || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv; }
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove what the tools left behind, var/ and .venv
	rm -rf $(VENV) .venv-lock var build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
