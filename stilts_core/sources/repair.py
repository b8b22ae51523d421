"""XCOPA's wrong questions, repaired by the agreement of other languages on the same item."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from stilts_core.errors import DataNotFound
from stilts_core.sources.publishers import load
from stilts_core.tasks.catalogue import get_task


def repaired_questions(name: str, language: str, data: Path | str | None = None) -> dict[str, str]:
    """The questions of a task that are wrong in one language: item id -> right question.

    Some of XCOPA's files (th, tr, sw, id, it) ask for the effect where the cause is meant; their labels are right. The
    languages in `Task.questions_from` agree on all questions. Report scores on both readings. Where fewer than two of
    these languages have an item, its question is not repaired.
    """
    votes: dict[str, Counter[str]] = {}
    for other in get_task(name).questions_from:
        with suppress(DataNotFound):
            for item in load(name, "test", other, data=data).items:
                votes.setdefault(item.id, Counter())[item.question] += 1
    right = {number: count.most_common(1)[0][0] for number, count in votes.items() if count.total() > 1}
    items = load(name, "test", language, data=data).items
    return {item.id: right[item.id] for item in items if item.question != right.get(item.id, item.question)}
