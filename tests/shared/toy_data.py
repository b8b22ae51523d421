"""A tiny generated data root in the publishers' layouts, so that tests of whole runs need no real data."""

import json
from pathlib import Path

import numpy as np

from stilts_core.runs.record import Record

LANGUAGES = ("en", "de", "sw")
LABELS = ("entailment", "neutral", "contradiction")


def write_data(root: Path) -> Path:
    """Write MNLI's dev part, XNLI in three parallel languages, Tatoeba and unlabelled text.

    A word begins with the code of its language, so no word occurs in two languages.
    """
    rng = np.random.default_rng(0)
    _write(root / "english/mnli/dev_matched.tsv", ["sentence1\tsentence2\tgold_label", *_pairs(rng, "en", 80)])
    for language in LANGUAGES:
        _write(root / f"xtreme/xnli/dev-{language}.tsv", _pairs(np.random.default_rng(1), language, 30))
        _write(root / f"text/{language}.txt", [_text(rng, language) for _ in range(20)])
    numbers = [str(number) for number in range(12)]
    _write(root / "xtreme/tatoeba/tatoeba.deu-eng.deu", [f"satz {number}" for number in numbers])
    _write(root / "xtreme/tatoeba/tatoeba.deu-eng.eng", [f"sentence {number}" for number in numbers])
    return root


def _pairs(rng, language: str, count: int) -> list[str]:
    labels = rng.integers(3, size=count)
    return [f"{_text(rng, language)}\t{label}{language} {_text(rng, language)}\t{LABELS[label]}" for label in labels]


def _text(rng, language: str) -> str:
    return " ".join(f"{language}{letter}" for letter in rng.choice(list("abcdef"), size=rng.integers(2, 9)))


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def scores_of(record: Record) -> str:
    """What two equal runs must have in common, as text: every score, loss and error."""
    content = json.loads(record.to_json())
    losses = [[point["loss"] for point in phase["curve"]] for phase in content["phases"]]
    return json.dumps([content["scores"], content["averages"], content["errors"], losses])
