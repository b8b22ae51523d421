"""The sizes of published parts and the lengths of their inputs, for a forecast that needs no data.

`facts/part_sizes.csv` has the sizes, `facts/part_lengths.csv` the lengths, both with their sources.
"""

from typing import NamedTuple

from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.facts import read_facts

TEXT = "text"  # the name of unlabelled text, in the place of a task


class InputLengths(NamedTuple):
    """Mean figures of one item: its features, its sub-words and their sequences' squared lengths.

    An item is an example; of a retrieval set it is a query or a candidate. `items` of them were measured in each
    language (all of a retrieval set), with inputs of at most `max_length` sub-words. `stand_in`: on a set that stands
    in for the published one.
    """

    features: float
    sub_words: float
    squares: float
    items: float
    max_length: int
    stand_in: bool = False


def part_size(name: str, split: str) -> int | None:
    """The number of examples of a published training part, or of a test part in one language (the mean over languages).

    None where no verified number is known. The training part of a target is that of the task that it is trained on.
    """
    sought = (get_task(name).trained_on or name) if split == "train" else name
    rows = [row for row in read_facts("part_sizes") if (row["task"], row["split"]) == (sought, split)]
    return int(rows[0]["examples"]) if rows else None


def input_lengths(data: str, name: str, split: str, max_length: int) -> InputLengths | None:
    """The lengths of a part's inputs in `data`: publishers, lab or lab-wide; None where they were not measured.

    Of several rows the one with the nearest longest input is used, and what is longer than `max_length` is cut.
    """
    rows = [
        row for row in read_facts("part_lengths") if (row["data"], row["task"], row["split"]) == (data, name, split)
    ]
    if not rows:
        return None
    row = min(rows, key=lambda row: (abs(int(row["max_length"]) - max_length), int(row["max_length"])))
    measured = InputLengths(
        features=float(row["features"]),
        sub_words=float(row["sub_words"]),
        squares=float(row["squares"]),
        items=int(row["items"]) / int(row["languages"]),
        max_length=int(row["max_length"]),
        stand_in=row["stand_in"] == "yes",
    )
    longest = measured.squares / measured.sub_words  # the length of the sequence of an average sub-word
    cut = min(1.0, max_length / longest)
    return measured._replace(sub_words=measured.sub_words * cut, squares=measured.squares * cut**2)
