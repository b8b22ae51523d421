"""Q3: transferability scores of an intermediate task for a target, measured on the trained encoder.

A user can compute them before any training on the target: they need the encoder after the intermediate phase and the
target's English training examples. LEEP and NCE compare a source task's predictions with the target's labels; they are
not here, because most tasks of the study have other outputs than its targets.
"""

from collections.abc import Callable, Iterator

import numpy as np

from stilts_core.config import RunConfig
from stilts_core.runs.record import Record
from stilts_core.studies.groups import ENGLISH
from stilts_core.studies.measures import Measure, read_measures
from stilts_core.studies.selection import h_score, log_evidence, neighbour_accuracy
from stilts_core.tasks.catalogue import get_task

SELECTOR = "selector:"  # begins the metric of a transferability score
SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "logme": log_evidence,
    "h-score": h_score,
    "neighbours": neighbour_accuracy,
}
MOST = 2000  # labelled items of a target
FAMILIES = ("pair", "choice", "tagging")  # whose items have one label each


def read_measures_and_scores(record: Record) -> Iterator[Measure]:
    """Iterate over the measures of a record and, if it has an intermediate task, over its transferability scores.

    The encoder after the intermediate phase is read from the folder of runs. Targets without labelled items have none.
    """
    yield from read_measures(record)
    if record.config.intermediate == "none" or get_task(record.target).family not in FAMILIES:
        return
    from stilts_core.runs.labelled_states import labelled_states  # imports torch

    states, labels = labelled_states(RunConfig.from_dict(record.config.to_dict()), MOST)
    numbers = np.unique(labels, return_inverse=True)[1]
    for name, score in SCORES.items():
        yield SELECTOR + name, ENGLISH, score(states, numbers)
