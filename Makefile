# The commands of the compendium; `make help` lists them.

.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# The profile whose runs the book shows. Finished runs, and those recorded in book/results/PROFILE, are not repeated.
PROFILE ?= lab
# More options of `stilts sweep`: --seeds 0,1,2, --mlm, --sham, --cores 1, --target-examples 500 …
SWEEP ?=

# The part of the recorded grid of real languages that `make book PROFILE=small` computes again, with the first seed.
ROWS ?= direct,mnli,squad
COLUMNS ?= tydiqa,tatoeba

# What `make book` computes before it writes pages: for other profiles nothing, because their grids take days.
COMPUTED_lab = grid
COMPUTED_small = subset

.PHONY: help setup book publish pdf grid subset recorded test lint a11y bench clean

help: ## list these targets
	@grep -hE '^[a-z0-9]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 10

setup: $(INSTALLED) ## create a virtual environment in .venv, with this package and the pinned versions of its dependencies

# Without the constraints pip would install a torch with gigabytes of CUDA libraries; Debian's pip builds old packages only
# with --use-pep517.
$(INSTALLED): pyproject.toml constraints.txt tests/oracles.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is required. Choose one: make setup PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[book,test]' --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/oracles.txt
	touch $@

# The sources of the book, and the first of them that is newer than the book.
SOURCES = _config.yml _toc.yml book notebooks protocols $(wildcard runs/$(PROFILE) runs/lab/lessons runs/lab/encoders)
NEWER = find $(SOURCES) -newer _build/built -print -quit; \
  find stilts_core -name __pycache__ -prune -o -type f -newer _build/built -print -quit

# A failed build deletes Sphinx's cache, so that the next build reports the same warnings again. Where runs failed, the
# book is still built and shows their errors; then make fails.
book: setup $(or $(COMPUTED_$(PROFILE)),recorded) ## run the laboratory's grid and lessons, then build the book in _build/html (PROFILE=small: on real data)
	@test "$$(cat _build/profile 2>/dev/null)" = $(PROFILE) || rm -rf _build
	@if test -e _build/built && test -z "$$($(NEWER))"; then \
	  echo "Nothing has changed: the book is in _build/html."; \
	else \
	  $(BIN)/stilts report --profile $(PROFILE) && \
	  mkdir -p _build && echo $(PROFILE) > _build/profile && touch _build/begun && \
	  { $(BIN)/jupyter-book build . -n -W --keep-going || { rm -rf _build/.doctrees; exit 1; }; } && \
	  mv _build/begun _build/built; \
	fi
	@test ! -e $(FAILED) || { echo "Runs failed: see the page Runs of the book in _build/html, and *.failed under runs/."; exit 1; }

publish: book ## write the book to public/ for GitHub Pages (STILTS_BOOK_URL: another address)
	$(BIN)/stilts publish

CHROMIUM ?= chromium

pdf: publish ## print the book's first part to public/print.pdf (with Debian's chromium)
	@command -v $(CHROMIUM) >/dev/null || { echo "$(CHROMIUM) not found. Install it, or name another: make pdf" \
	  "CHROMIUM=google-chrome. Or print public/print.html in a browser."; exit 1; }
	$(CHROMIUM) --headless --disable-gpu --disable-background-networking --no-pdf-header-footer \
	  $(if $(filter 0,$(shell id -u)),--no-sandbox) --print-to-pdf=public/print.pdf "file://$(CURDIR)/public/print.html"

FAILED = runs/.failed-$(PROFILE)
# Status 1: some runs failed, and the book shows their errors. Any other one, as of a wrong option, ends make.
RUNS_FAILED = { status=$$?; test $$status = 1 || exit $$status; mkdir -p runs && touch $(FAILED); }

grid: setup ## run what is missing of a profile's grid (SWEEP: more options of `stilts sweep`)
	@rm -f $(FAILED)
	$(BIN)/stilts sweep --profile $(PROFILE) $(SWEEP) || $(RUNS_FAILED)
	$(BIN)/stilts lessons

subset: setup ## repeat a part of the grid of real languages (ROWS, COLUMNS), and compare it with the recorded one
	@rm -f $(FAILED)
	$(BIN)/stilts study grid --blocks seed-0 --only arms=$(ROWS) --only targets=$(COLUMNS) --pages

recorded:
	@ls runs/$(PROFILE)/*/record.json book/results/$(PROFILE)/*.json 2>/dev/null | grep -q . \
	  || { echo "There are no runs of the profile $(PROFILE), and its grid takes days: start it yourself, with" \
	  "stilts sweep --profile $(PROFILE)"; exit 1; }

test: lint ## check style, types and imports, then run the tests
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: setup ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The book must be built. axe-core comes from npm in the version that tests/accessibility/package-lock.json pins.
a11y: setup ## check the built book for readers with a screen reader or a keyboard (needs chromium and npm)
	@command -v npm >/dev/null && command -v chromium >/dev/null || { echo "Install both: apt-get install chromium npm"; exit 1; }
	npm ci --prefix tests/accessibility --ignore-scripts --no-audit --no-fund --silent
	$(BIN)/python tests/accessibility/check_pages.py

# WORKLOADS="--workload train-xnli --seeds 3" measures only that workload; the others stay in the file unchanged.
bench: setup ## measure speed and memory beside the strongest libraries (the machine should be idle)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' --constraint constraints.txt
	$(BIN)/stilts bench $(WORKLOADS) --json book/results/bench.json

clean: ## remove build products, except runs/ and .venv
	rm -rf _build build public book/generated book/pairs book/lessons .pytest_cache .ruff_cache .mypy_cache
	find stilts_core tests -name __pycache__ -type d -prune -exec rm -rf {} +
