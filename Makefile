# The same few commands on a laptop and in CI. A fresh machine needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
OUT ?= out
# Names of files reach the shell through its environment, as they are: make would read a $ in them and the shell a quote.
unexport PHOTO
export CLAIRVOY_PHOTO := $(if $(value PHOTO),$(value PHOTO),$(firstword $(sort $(wildcard examples/hazy/*.jpg))))
export CLAIRVOY_OUT := $(value OUT)

BIN := .venv/bin
# What restoring needs, and all that it takes to train and to test.
BASE := .venv/.base
INSTALLED := .venv/.installed
# Where there is a Chromium, page and reports are tried in it: playwright brings a driver along, and fetches no browser.
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
comma := ,
EXTRAS := test,lint,docs$(if $(BROWSER),$(comma)browser-test)
API := clairvoy $(addprefix clairvoy.,storage imaging generative qlearning searching environments painting restoring \
	cotraining evaluation releasing drawing scenarios errors)

.DEFAULT_GOAL := help
.PHONY: help run test quick lint format bench weights docs site release clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(BASE)  ## restore the hazy photograph in examples/ (another one: make run PHOTO=mine.jpg)
	@test -n "$$CLAIRVOY_PHOTO" || { echo "no photograph in examples/hazy; name one: make run PHOTO=mine.jpg" >&2; exit 2; }
	@name="$${CLAIRVOY_PHOTO##*/}"; beside="$$CLAIRVOY_OUT/$${name%.*}"; \
	$(BIN)/clairvoy clear --overwrite -o "$$CLAIRVOY_OUT/" \
		--report "$$beside.report.json" --comparison "$$beside.comparison.png" -- "$$CLAIRVOY_PHOTO" && \
	printf '%s\n' "before, haze, after, confidence $$beside.comparison.png" "report                          $$beside.report.json"

test: $(INSTALLED)  ## run the tests (some of them: make test ARGS="tests/apps -x")
	$(BIN)/python -m pytest $(ARGS)

quick: $(INSTALLED)  ## run the tests that take no time: for in between, not instead of `make test`
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(INSTALLED)  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## put the code into the format that lint expects
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## measure against peers on your own pairs: make bench HAZY=DIR CLEAR=DIR
	@test -n "$(HAZY)" -a -n "$(CLEAR)" || { echo "name two folders: make bench HAZY=DIR CLEAR=DIR" >&2; exit 2; }
	$(BIN)/python benchmarks/dehazing.py --hazy "$(HAZY)" --clear "$(CLEAR)" $(ARGS)

weights: $(INSTALLED)  ## train the released weights again: make weights CLEAR=DIR (goes on where it was stopped)
	@test -n "$(CLEAR)" || { echo "name a folder of photographs without haze: make weights CLEAR=DIR" >&2; exit 2; }
	$(BIN)/clairvoy train haze --recipe fast --clear "$(CLEAR)" --out "$(OUT)/weights" \
		$$(test -e "$(OUT)/weights/checkpoint.pt" && echo --resume) $(ARGS)

docs: $(INSTALLED)  ## write the API reference to out/docs/index.html
	$(BIN)/python -m pdoc --docformat numpy --output-directory "$(OUT)/docs" $(API)

site: .venv/.made  ## build docs/ as a site in out/site
	$(BIN)/python -m pip install --quiet 'zensical>=0.0.30'
	$(BIN)/zensical build --clean

# What a release consists of, in dist/: packages, completions for shells, the page, and what the packages bring along.
release: $(INSTALLED)  ## build all files of a release into dist/
	rm -rf dist out/released && mkdir -p dist
	$(BIN)/python -m pip install --quiet build cyclonedx-bom
	$(BIN)/python -m build --outdir dist .
	for shell in bash zsh fish powershell; do $(BIN)/clairvoy completion $$shell > dist/clairvoy.$$shell || exit 1; done
	$(BIN)/clairvoy page --overwrite -o out/page && $(BIN)/python -m zipfile -c dist/clairvoy-page.zip out/page/.
	$(PYTHON) -m venv out/released && out/released/bin/python -m pip install --quiet dist/*.whl
	$(BIN)/cyclonedx-py environment --output-file dist/clairvoy.cdx.json out/released/bin/python

clean:  ## remove the environment and everything generated
	rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "clairvoy needs Python 3.11 or newer; name one: make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

$(BASE): pyproject.toml .venv/.made
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# torch has a stamp of its own: it is 200 MB, and a change of pyproject.toml must not fetch it again. The pinned
# version comes first, because on its own it resolves to the build for the CPU.
.venv/.torch: .venv/.made
	$(BIN)/python -m pip install --quiet torch==2.13.0
	@touch $@

$(INSTALLED): pyproject.toml .venv/.torch
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	@touch $(BASE) $@
