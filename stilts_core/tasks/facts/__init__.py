"""Published figures as CSV files, each with its source."""

import csv
from functools import cache
from importlib.resources import files


@cache
def read_facts(name: str) -> list[dict[str, str]]:
    """The rows of `NAME.csv` in this folder; lines that begin with '#' are comments."""
    text = (files(__name__) / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
