"""Published scores from the facts, and what this book's runs have to set beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stilts_core.report.analysis.grid import Cell
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.replicates import Replicates, replicate_of, summarise
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.facts import read_facts

XTREME = "xtreme"  # the benchmark whose languages the published means are over
RETRIEVAL_SYSTEM = "XLM-R Large"  # whose states the published retrieval scores come from
RETRIEVAL_SOURCE = "jiant-dev, pull request 128, by the paper's authors (2020-07-29)"
RETRIEVAL_TASKS: Mapping[str, str] = {"tatoeba": "tatoeba", "bucc2018_dev": "bucc2018"}  # from the facts' name
MEAN = "avg"  # begins the name of a mean over languages in the facts


class Column(NamedTuple):
    """What a column of a table of published scores holds: a target in one language, or its mean (language "")."""

    target: str
    metric: str
    language: str = ""


class PublishedScore(NamedTuple):
    """A published score, 0 to 100, with the digits that were published, and its source."""

    value: float
    source: str


class StatedGain(NamedTuple):
    """A gain that the paper's abstract states, in points; `row` is the row of a grid that it is about."""

    row: str
    value: float


@dataclass(frozen=True)
class OwnScore:
    """A score of this book in the metric of a published one; `departures` say in what else the two differ.

    `has_interval` is False where the metric was measured once, without a bootstrap.
    """

    measured: Measurement
    has_interval: bool
    departures: tuple[str, ...]


PublishedScores = Mapping[tuple[str, Column], PublishedScore]  # by system and column

# The row or choice of a grid that a claim of the paper's abstract is about, by words of the claim.
CHOICE = "choice"  # the best intermediate model per target
CLAIMED_ROWS: Mapping[str, str] = {
    "from SQuAD": "squad",
    "from MNLI": "mnli",
    "from HellaSwag": "hellaswag",
    "multi-task": "all",
    "best intermediate model per target": CHOICE,
}


def read_means() -> PublishedScores:
    """The published means over XTREME's languages."""
    return {
        (fact["system"], Column(fact["task"], fact["metric"])): PublishedScore(float(fact["score"]), fact["source"])
        for fact in read_facts("published_scores")
    }


def read_retrieval(target: str) -> PublishedScores:
    """The published retrieval scores of one target by language, then their mean; shares become percentages."""
    scores = {}
    for fact in read_facts("published_retrieval_xlmr_large"):
        if RETRIEVAL_TASKS[fact["task"]] == target:
            language = "" if fact["lang"].startswith(MEAN) else fact["lang"]
            column = Column(target, fact["metric"].split(" ")[0].lower(), language)
            scores[RETRIEVAL_SYSTEM, column] = PublishedScore(100 * float(fact["score"]), RETRIEVAL_SOURCE)
    return scores


def stated_gains() -> dict[str, StatedGain]:
    """The gains that the paper's abstract states, by claim."""
    gains = {}
    for fact in read_facts("published_claims"):
        row = next((row for words, row in CLAIMED_ROWS.items() if words in fact["claim"]), None)
        if row:
            gains[fact["claim"]] = StatedGain(row, float(fact["value"]))
    return gains


def own_score(cell: Cell, column: Column) -> OwnScore | None:
    """The score of a cell in a column's metric; None if its runs have no such metric, or not the column's language."""
    codes = [column.language] if column.language else list(cell.records[0].scores)
    if not codes or not all(set(codes) <= set(run.scores) for run in cell.records):
        return None
    primary = column.metric == cell.records[0].metric
    if primary:
        measured = summarise(cell.scores_in(column.language)) if column.language else cell.score()
    else:
        measured = summarise(_means(cell, column.metric, codes))
    if measured is None:
        return None
    return OwnScore(measured, primary or len(cell.records) > 1, _departures(cell, column, codes))


def _means(cell: Cell, metric: str, codes: list[str]) -> Replicates:
    """Each run's mean of a secondary metric, which has no interval; empty if a run does not have it everywhere."""
    means = {}
    for run in cell.records:
        values = [run.scores[code].metrics.get(metric) for code in codes]
        present = [value for value in values if value is not None]
        if len(present) < len(codes):
            return {}
        means[replicate_of(run)] = Measurement(sum(present) / len(present), 0.0)
    return means


def _departures(cell: Cell, column: Column, codes: list[str]) -> tuple[str, ...]:
    """In what a cell's score differs from a published one of the same metric, in a few words each."""
    expected = get_task(column.target).languages.get(XTREME, ())
    found = []
    if not column.language and set(codes) != set(expected):
        found.append(f"{len(set(codes) & set(expected))} of {len(expected)} languages")
    if limit := max(_test_limit(run) for run in cell.records):
        found.append(f"at most {limit:,} items")
    if get_task(column.target).mined:
        found.append("other threshold")
    if cell.same_data:
        found.append("same data")
    return tuple(found)


def _test_limit(run: GridRun) -> int:
    """The largest number of test items of one language that the run was allowed; 0 without a limit."""
    return run.config.test_examples or 0
