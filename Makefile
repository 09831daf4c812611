# The commands of Timba; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Optional packages that were installed once, such as MariaDB's driver, are kept by later syncs.
EXTRAS := $(if $(wildcard $(VENV)/.mariadb),requirements/mysql.txt)
SYNC := $(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/uv.txt $(EXTRAS)
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11

# Caches are in the build folders: nothing is written anywhere else.
export UV_CACHE_DIR ?= $(CURDIR)/$(VENV)/cache/uv
export npm_config_cache ?= $(CURDIR)/$(VENV)/cache/npm
export UV_CUSTOM_COMPILE_COMMAND := make requirements
export ARGS
# Many container images set this; every start would then compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

# Once the development packages are installed, they are kept: `make demo` must not remove them.
PACKAGES := $(if $(wildcard $(BIN)/pytest),dev,base)
FRONT := timba/web/static/timba/timba.js
FRONT_SOURCES := $(shell find timba/web/assets -type f) package.json package-lock.json

##@ Run

.PHONY: demo
demo: setup front ## Start Timba with its demo company; Ctrl-C ends it
	@exec $(BIN)/python manage.py demo

.PHONY: stack
stack: setup front ## The same on real servers: PostgreSQL, Redis, S3, Kafka, with Celery
	@exec $(BIN)/python tools/stack

.PHONY: setup
setup: $(VENV)/.$(PACKAGES) ## Install the packages that Timba needs, each checked by its hash

.PHONY: mariadb
mariadb: $(VENV)/.mariadb ## Build and install the driver for MariaDB

.PHONY: front
front: $(FRONT) ## Build the style sheet and scripts of the pages

##@ Work on it

.PHONY: test
test: $(VENV)/.dev $(VENV)/heif/.ready $(VENV)/ocr/.ready front ## Run every test; ARGS="tests/notes -n 0" runs some
	@tools/test-packages
	@$(MAKE) mariadb || [ "$${CI:-}" != true ]
	@tools/services run --tests -- $(BIN)/python tools/suites $(ARGS)

.PHONY: slow
slow: containers ## Run the tests that are too long for `make test`
	@tools/test-packages slow
	@$(MAKE) spark || [ "$${CI:-}" != true ]
	@$(BIN)/python -m pytest -m slow tests/examples tests/files tests/journeys tests/tallies tests/temperatures tests/web

.PHONY: spark
spark: $(VENV)/spark/.ready ## Install Spark, with its own packages, for the jobs in examples/spark

.PHONY: containers
containers: $(VENV)/.dev front ## Build the image and walk through each profile of compose.yaml, by podman
	@tools/test-packages
	@$(BIN)/python tools/containers

.PHONY: chaos
chaos: $(VENV)/.dev front ## Kill workers, web server, Redis and S3 under uploads; SEED=… repeats one run
	@SEED=$${SEED:-$$RANDOM} ROUNDS=$${ROUNDS:-3} $(BIN)/pytest -n 0 -s tests/journeys/test_chaos.py

.PHONY: check
check: $(VENV)/.dev front ## Check format, lint, types, layers, security, settings, migrations, API schema
	@tools/check

.PHONY: format
format: $(VENV)/.dev ## Format the code and fix what the linter can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

# Their figures depend on the database, or they need PostgreSQL: run on it too.
BENCHES_ON_POSTGRESQL := bench/readings.py bench/wakeups.py bench/web.py

.PHONY: bench
bench: $(VENV)/.dev ## Run the benchmarks: ratios of two things timed in the same run, and a few delays
	@failed=; \
	for bench in $(filter-out bench/spark.py,$(wildcard bench/*.py)); do \
		echo "$$bench"; $(BIN)/python "$$bench" || failed+=" $$bench"; \
	done; \
	for bench in $(BENCHES_ON_POSTGRESQL); do \
		echo "$$bench, on PostgreSQL"; \
		tools/services run --durable postgres -- $(BIN)/python "$$bench" || failed+=" $$bench"; \
	done; \
	echo "bench/events.py, on PostgreSQL and Kafka"; \
	tools/services run --durable postgres kafka -- $(BIN)/python bench/events.py \
		|| failed+=" bench/events.py"; \
	echo "bench/pickup.py, on PostgreSQL with Celery"; \
	tools/services run --durable postgres redis -- $(BIN)/python bench/pickup.py \
		|| failed+=" bench/pickup.py, Celery"; \
	if [ -e $(VENV)/spark/.ready ]; then \
		echo "bench/spark.py"; $(BIN)/python bench/spark.py || failed+=" bench/spark.py"; \
	else \
		echo "bench/spark.py is left out: it runs once Spark is installed by \`make spark\`"; \
	fi; \
	[ -z "$$failed" ] || { echo "Failed, or missed a bar:$$failed"; exit 1; }

.PHONY: package
package: $(VENV)/.dev front ## Build the wheel and the sdist of Timba in dist/, with the versions to install
	@rm -rf dist
	@$(BIN)/python -m hatchling build
	@cp requirements/base.txt dist/requirements.txt
	@cp requirements/mysql.txt dist/requirements-mysql.txt
	@cp requirements/heif.txt dist/requirements-heif.txt
	@cp requirements/lake.txt dist/requirements-lake.txt
	@cp requirements/ocr.txt dist/requirements-ocr.txt

.PHONY: requirements
requirements: $(UV) ## Recompile the hashed requirement files from pyproject.toml
	@$(COMPILE) --group uv -o requirements/uv.txt
	@$(COMPILE) --group node -o requirements/node.txt
	@$(COMPILE) --group mysql -o requirements/mysql.txt
	@$(COMPILE) --group image -o requirements/image.txt
	@$(COMPILE) pyproject.toml -o requirements/base.txt
	@$(COMPILE) --group heif --constraints requirements/base.txt -o requirements/heif.txt
	@$(COMPILE) --group ocr --constraints requirements/base.txt -o requirements/ocr.txt
	@$(COMPILE) --group lake --constraints requirements/base.txt -o requirements/lake.txt
	@$(COMPILE) --group spark --constraints requirements/base.txt -o requirements/spark.txt
	@$(COMPILE) pyproject.toml --group dev -o requirements/dev.txt

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo

# --- Files that the commands need ----------------------------------------------------------------

$(UV): requirements/uv.txt
	@tools/venv $(VENV)
	@touch $@

$(VENV)/.base: $(UV) requirements/base.txt
	@echo "Installing Timba's packages; each file is checked by its hash."
	@$(SYNC) requirements/base.txt
	@touch $@

$(VENV)/.dev: $(UV) requirements/dev.txt
	@echo "Installing Timba's packages and the development tools; each file is checked by its hash."
	@$(SYNC) requirements/dev.txt
	@touch $@

# An environment of its own for the tests of an extra, beside the packages of all other tests.
$(VENV)/heif/.ready $(VENV)/ocr/.ready: $(VENV)/%/.ready: requirements/%.txt | $(VENV)/.dev
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/$*
	@$(UV) pip install --quiet --python $(VENV)/$*/bin/python --require-hashes -r requirements/$*.txt
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(VENV)/$*/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/timba.pth"
	@touch $@

# As on the machines of a cluster: without Timba's packages.
$(VENV)/spark/.ready: requirements/spark.txt | $(VENV)/.dev
	@echo "Installing Spark, about half a gigabyte; each file is checked by its hash."
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/spark
	@$(UV) pip install --quiet --python $(VENV)/spark/bin/python --require-hashes -r requirements/spark.txt
	@$(BIN)/python -m tools.spark.jobs
	@touch $@

$(VENV)/.mariadb: requirements/mysql.txt | $(VENV)/.$(PACKAGES)
	@tools/mariadb-packages $(BIN)/python
	@echo "Building MariaDB's driver; its source is checked by its hash."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/mysql.txt
	@touch $@

$(FRONT): $(FRONT_SOURCES) requirements/node.txt | $(UV)
	@tools/front $(VENV)
	@touch $@
