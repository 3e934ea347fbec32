# `make help` lists the targets. The environment is made by whatever target needs it first.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
VENV := .venv/bin
ENVIRONMENT := .venv/.locked
AIRFLOW := .airflow/venv/bin
AIRFLOW_ENVIRONMENT := .airflow/venv/.locked
AIRFLOW_PROJECT := orchestration/airflow

DATA ?=
PROFILE ?=
WORKSPACE ?= workspace
MODEL ?= expression
ARGS ?=

RUN_ARGS := --workspace "$(WORKSPACE)" $(if $(DATA),--data "$(DATA)") $(if $(PROFILE),--profile $(PROFILE)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup run serve web webcam airflow test test-kubeflow test-tfs lint bench bench-serving bench-webcam bench-peers clean requirements

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: DATA=path to a zip, folder or fer2013.csv, PROFILE=name, WORKSPACE=folder,"
	@echo "  MODEL=name of the model to serve, ARGS='--set train.epochs=5'"

setup: $(ENVIRONMENT) ## make the locked environment in .venv

run: $(ENVIRONMENT) ## run the pipeline on DATA, or on a drawn sample
	@$(VENV)/python local_runner.py $(RUN_ARGS)

serve: $(ENVIRONMENT) ## serve the newest pushed model on loopback: gRPC 8500, REST 8501
	@$(VENV)/python -m serving --rest_api_port=8501 --model_name="$(MODEL)" \
		--model_base_path="$(if $(filter /%,$(WORKSPACE)),,$(CURDIR)/)$(WORKSPACE)/serving/$(MODEL)" \
		--monitoring_config_file=serving_configs/monitoring.config $(ARGS)

web: $(ENVIRONMENT) ## serve the page that runs the pushed model in the browser
	@$(VENV)/python -m clients.web --workspace "$(WORKSPACE)" $(ARGS)

webcam: $(ENVIRONMENT) ## show expressions on the webcam, by the pushed model
	@$(VENV)/python -m clients.webcam --workspace "$(WORKSPACE)" $(ARGS)

airflow: $(ENVIRONMENT) $(AIRFLOW_ENVIRONMENT) ## schedule the pipeline: Airflow on loopback, http://localhost:8080
	@$(VENV)/python -m pipeline.node compile $(RUN_ARGS)
	@$(AIRFLOW)/python $(AIRFLOW_PROJECT)/standalone.py --home .airflow/home \
		--pipeline "$(WORKSPACE)/pipeline.json"

# File by file, since fixtures belong to files; a process and its children take up to 4 GB.
test: $(ENVIRONMENT) ## run all tests, the end-to-end run included, a process a core (-n of ARGS)
	@$(VENV)/python -m pytest -n logical --maxprocesses=4 --dist loadfile --no-loadscope-reorder \
		$(ARGS)

test-kubeflow: $(ENVIRONMENT) ## run the job compiled for Kubeflow Pipelines, task by task, as processes
	@$(VENV)/python -m pytest -m slow tests/kubeflow $(ARGS)

test-tfs: $(ENVIRONMENT) ## the server's tests against a real one: TFS_ADDRESS=host:port make test-tfs
	@$(VENV)/python -m pytest tests/serving/test_grpc.py tests/serving/test_golden_rest.py \
		tests/serving/test_other_clients.py $(ARGS)

test-airflow: $(ENVIRONMENT) $(AIRFLOW_ENVIRONMENT) ## two whole runs under a running Airflow, 15 to 30 minutes
	@RUN_AIRFLOW=1 $(VENV)/python -m pytest tests/airflow $(ARGS)

lint: $(ENVIRONMENT) ## ruff, mypy, and that the locks and requirements.txt are up to date
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy .
	@$(UV) lock --check --quiet
	@$(UV) lock --check --quiet --project $(AIRFLOW_PROJECT)
	@$(UV) export $(EXPORT_ARGS) | diff - requirements.txt > /dev/null || \
		{ echo "requirements.txt does not follow uv.lock; run make requirements." >&2; exit 1; }

bench: $(ENVIRONMENT) ## measure the pipeline beside a plain Keras script; DATA is FER2013
	@$(VENV)/python -m benchmarks.pipeline_vs_plain $(if $(DATA),--data "$(DATA)") $(ARGS)

bench-serving: $(ENVIRONMENT) ## measure the server beside the in-process model call; into docs/serving.md
	@$(VENV)/python -m benchmarks.serving --model_base_path "$(WORKSPACE)/serving/expression" \
		--markdown docs/serving.md $(ARGS)

bench-webcam: $(ENVIRONMENT) ## measure the webcam client beside fer; needs a pushed model
	@$(VENV)/python -m benchmarks.webcam --workspace "$(WORKSPACE)" $(ARGS)

bench-peers: $(ENVIRONMENT) ## measure the pushed models beside packages of PyPI; DATA is FER2013
	@$(VENV)/python -m benchmarks.peers --data "$(DATA)" --workspace "$(WORKSPACE)" $(ARGS)

clean: ## remove the environment and the caches; the workspace stays
	rm -rf .venv .venv-clients .uv .airflow/venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

EXPORT_ARGS := --quiet --locked --all-groups --no-hashes --no-header --no-annotate

requirements: $(UV) ## write requirements.txt from uv.lock
	$(UV) export $(EXPORT_ARGS) > requirements.txt

$(UV):
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Byte-compiled: importing TFX takes a third of the time, and processes import it often.
$(ENVIRONMENT): uv.lock pyproject.toml | $(UV)
	@echo "Making the environment in .venv (about 4 GB, a few minutes) ..."
	@$(UV) sync --locked --all-groups --compile-bytecode --quiet
	@touch $@

$(AIRFLOW_ENVIRONMENT): $(AIRFLOW_PROJECT)/uv.lock $(AIRFLOW_PROJECT)/pyproject.toml | $(UV)
	@echo "Making Airflow's environment in .airflow/venv (about 270 MB) ..."
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.airflow/venv" \
		$(UV) sync --project $(AIRFLOW_PROJECT) --locked --compile-bytecode --quiet
	@touch $@
