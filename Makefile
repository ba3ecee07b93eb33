# `make` alone prints the words. Each is one command that also works by itself; docs/ has the rest.
SHELL := /bin/sh
PYTHON := .venv/bin/python
# Kept byte code lets every process of a test start in half the time; some environments forbid it.
export PYTHONDONTWRITEBYTECODE :=
# Tests wait more than they work: two processes keep two cores busy (what may run beside what: conftest.py).
TOGETHER := -n 2 --dist loadgroup --no-loadscope-reorder
.DEFAULT_GOAL := help
.PHONY: help setup up demo test suite check lint types bench record simulate docs compose-up

help: ## Print these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Install what the system needs: uv, the Python packages, Kafka (seconds when it is all there)
	@sh deploy/local/setup.sh

up: ## Start the whole system on this machine and keep it running; Ctrl-C stops it, the data stay
	@exec sh deploy/local/setup.sh up

demo: ## Send a campaign and some replies through the running system, and watch them arrive
	@exec sh deploy/local/setup.sh demo

test: setup lint ## Check the code, and run every test on a real Kafka and a real Postgres
	@exec $(MAKE) --no-print-directory --jobs=2 types suite

suite: # the tests alone; beside them the types are checked, which takes a minute
	@exec $(PYTHON) -m pytest $(TOGETHER)

check: setup lint types ## Lint, format, types and the contracts between packages

lint:
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@.venv/bin/lint-imports

types:
	@.venv/bin/basedpyright

bench: setup ## Measure against the bare limits of this machine and beside peers (half an hour) into bench/results
	@.venv/bin/uv sync --all-packages --locked --quiet --group bench
	@$(PYTHON) -m bench
	@$(PYTHON) -m bench router
	@$(PYTHON) -m bench sender
	@$(PYTHON) -m bench stats
	@exec $(PYTHON) -m bench pacer

record: setup ## Run the tests that measure, by themselves, and keep their figures in bench/results (an hour)
	@exec $(PYTHON) -m pytest --record

simulate: setup ## Run years of the release policy on a virtual clock: a report, a picture (bench/results/years has a full run)
	@exec $(PYTHON) -m simulate

docs: setup ## Write the generated pages again: OpenAPI, AsyncAPI, settings, dashboards
	@exec $(PYTHON) -m docs

compose-up: ## Start the same system in containers, with Prometheus and Grafana (needs Docker)
	@exec docker compose up --build
