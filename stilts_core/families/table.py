"""The table of task families. Its import takes seconds, because the families need PyTorch.

The annotations make mypy check every module against the protocol.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stilts_core.families import choice, pair, retrieval, span, tagging
from stilts_core.families.family import Family
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ChoiceExample, PairExample, RetrievalSet, SpanExample, TaggingExample

PAIR: Family[PairExample, str] = pair
CHOICE: Family[ChoiceExample, int] = choice
TAGGING: Family[TaggingExample, Sequence[str]] = tagging
SPAN: Family[SpanExample, str] = span
RETRIEVAL: Family[RetrievalSet, Mapping[str, Sequence[str]]] = retrieval

# A task names its family by a string, so the types of examples and predictions are not known here.
FAMILIES: dict[str, Family[Any, Any]] = {
    "pair": PAIR,
    "choice": CHOICE,
    "tagging": TAGGING,
    "span": SPAN,
    "retrieval": RETRIEVAL,
}


def get_family(task: Task) -> Family[Any, Any]:
    """The family of a task."""
    return FAMILIES[task.family]
