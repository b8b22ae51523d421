"""What an answer scores that is given without reading the item; `facts/chance.csv` has the numbers."""

from stilts_core.tasks.facts import read_facts


def chance(data: str, name: str) -> float | None:
    """The score of a task's dev part by chance, in percent; None where no answer scores without reading.

    `data` is publishers or lab. It is the score of equal guessing among the choices, or of the most frequent label.
    """
    rows = (row for row in read_facts("chance") if (row["data"], row["task"]) == (data, name))
    return next((float(row["score"]) for row in rows), None)
