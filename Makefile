# `make` alone prints the targets. CONTRIBUTING.md explains them.
SHELL := /bin/sh
PYTHON := .venv/bin/python
# Compiled byte code halves the start of every process in a test; some environments forbid it by default.
export PYTHONDONTWRITEBYTECODE :=
# Tests mostly wait, so two processes keep two cores busy. conftest.py groups tests that must not run at the same time.
TOGETHER := -n 2 --dist loadgroup --no-loadscope-reorder
.DEFAULT_GOAL := help
.PHONY: help setup up demo test suite check lint types bench profile record chaos simulate docs compose-up

help: ## Print these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Install uv, the Python packages and Kafka (seconds when they are there)
	@sh deploy/local/setup.sh

up: ## Start the whole system on this machine; Ctrl-C stops it and keeps the data
	@exec sh deploy/local/setup.sh up

demo: ## Send a campaign and some replies through the running system, and watch them arrive
	@exec sh deploy/local/setup.sh demo

test: setup lint ## Check the code and run every test on a real Kafka and a real Postgres
	@exec $(MAKE) --no-print-directory --jobs=2 types suite

suite: # only the tests; `make test` checks the types at the same time, which takes a minute
	@exec $(PYTHON) -m pytest $(TOGETHER)

check: setup lint types ## Check lint, format, types and the contracts between packages

lint:
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@.venv/bin/lint-imports

types:
	@.venv/bin/basedpyright

bench: setup ## Measure against the bare limits of this machine and against peers (half an hour) into bench/results
	@.venv/bin/uv sync --all-packages --locked --quiet --group bench
	@$(PYTHON) -m bench
	@$(PYTHON) -m bench router
	@$(PYTHON) -m bench sender
	@$(PYTHON) -m bench stats
	@exec $(PYTHON) -m bench pacer

profile: setup ## Draw where each service spends its time under 50 replies a second, into .profile (two minutes)
	@.venv/bin/uv sync --all-packages --locked --quiet --group bench
	@exec $(PYTHON) -m bench profile

record: setup ## Run only the tests that measure and keep their figures in bench/results (an hour)
	@exec $(PYTHON) -m pytest --record

chaos: setup ## Random faults on three instances of every service, then double outages, into bench/results (two hours)
	@SPREADER_CHAOS_SECONDS=$${SPREADER_CHAOS_SECONDS:-3600} SPREADER_CHAOS_CYCLES=$${SPREADER_CHAOS_CYCLES:-100} \
		$(PYTHON) -m pytest --record tests/e2e/test_e2e_chaos.py tests/e2e/test_e2e_double_outage.py

simulate: setup ## Run years of the release policy on a virtual clock into a report (full run: bench/results/years)
	@exec $(PYTHON) -m simulate

docs: setup ## Write the generated pages: OpenAPI, AsyncAPI, settings, topics, dashboards
	@exec $(PYTHON) -m docs

compose-up: ## Start the system in containers, with Prometheus and Grafana (needs Docker)
	@exec docker compose up --build
