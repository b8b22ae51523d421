"""Retrieval with raw and with centred embeddings, before and after the phases, as means over languages."""

from collections.abc import Iterable, Iterator
from typing import Literal

from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.runs.measures import StateScores

When = Literal["before", "after"]
Kind = Literal["raw", "globally_centred", "language_centred"]

KINDS: dict[Kind, str] = {
    "raw": "raw", "globally_centred": "globally centred", "language_centred": "language-centred",
}  # fmt: skip
EXPLANATION = (
    "Globally centred: the mean of the distinct texts of all languages is subtracted from every embedding. "
    "Language-centred: the mean of its own side of the test set, which has one language. The means come from the texts "
    "of the test sets themselves, without labels. Before: the pretrained encoder, before any phase. Scores are means "
    "over languages. BUCC's pairs are compared here without the threshold of the target's own score, which is higher."
)


def mean_by_state(record: GridRun, when: When, kind: Kind) -> list[float | None]:
    """The mean over languages from every hidden state; None where a language has no score, empty without any."""
    if record.retrieval is None:
        return []
    by_language = getattr(getattr(record.retrieval, when), kind).values()
    return [None if None in scores else sum(scores) / len(scores) for scores in zip(*by_language, strict=True)]


def mean_at_scored_state(records: Iterable[GridRun], when: When, kind: Kind) -> float | None:
    """The mean over runs and languages at the hidden state by which the target is scored; None without any."""
    values = [
        value
        for record in records
        if record.retrieval
        for value in mean_by_state(record, when, kind)[record.retrieval.state : record.retrieval.state + 1]
        if value is not None
    ]
    return sum(values) / len(values) if values else None


def all_scores(record: GridRun) -> Iterator[dict[str, list[float | None]]]:
    """The scores from hidden states by language, of every kind, before and after."""
    if record.retrieval:
        parts: tuple[StateScores, StateScores] = (record.retrieval.before, record.retrieval.after)
        for scores in parts:
            yield from (scores.raw, scores.globally_centred, scores.language_centred)
