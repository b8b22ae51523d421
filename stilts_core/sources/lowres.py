"""The low-resource sets whose files have a form of their own: AmericasNLI and MasakhaNER 2."""

from stilts_core.sources.english import tagged
from stilts_core.sources.rows import Row
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import PairExample, TaggingExample

DATES = ("B-DATE", "I-DATE")


def americasnli(row: Row, task: Task, language: str) -> PairExample:
    """AmericasNLI: XNLI's columns after an id, which the languages share; some languages lack some items."""
    row.check_language(language)
    premise, hypothesis, id = row.text("premise"), row.text("hypothesis"), row.id("id", required=True)
    return PairExample(id, language, premise, hypothesis, row.label("label", task.labels), group=id)


def masakhaner(row: Row, task: Task, language: str) -> TaggingExample:
    """A sentence of MasakhaNER 2, whose dates become O.

    PAN-X, the training set, has no dates, so that a tagger which finds one there must tag it O.
    """
    if isinstance(row["tags"], list):
        row["tags"] = ["O" if tag in DATES else tag for tag in row["tags"]]
    return tagged(row, task, language)
