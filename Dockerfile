# The compendium with the pinned versions, for a machine without a graphics card.
#   docker build --tag stilts .
#   docker run --name book stilts && docker cp book:/home/stilts/compendium/_build/html book-html

# What a checkout needs: .devcontainer/devcontainer.json uses this stage.
FROM python:3.11.13-slim-bookworm AS base
# gcc builds the kernels for the CPU, git names the commit in records. Debian removes old versions of its packages.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends gcc git libc6-dev make \
  && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 --shell /bin/bash stilts
USER 1000:1000
# The CPU build of PyTorch, without gigabytes of CUDA's libraries.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu \
  PIP_NO_CACHE_DIR=1

FROM base AS compendium
WORKDIR /home/stilts/compendium
# These files decide what is installed. Without a change to them, a build takes this layer from its cache.
COPY --chown=stilts:stilts Makefile pyproject.toml constraints.txt ./
COPY --chown=stilts:stilts tests/oracles.txt tests/
# An editable installation needs these files, whose content the last COPY brings.
RUN mkdir stilts_core && touch README.md LICENSE stilts_core/__init__.py && make setup
COPY --chown=stilts:stilts . .
CMD ["make", "book"]
