"""The section of a recorded grid's page on what its intermediate phases learnt."""

from collections.abc import Sequence

from stilts_core.report.analysis.learning import PhaseScores, not_learnt
from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import TASKS

ABSENT = "–"
ALONE = "alone"  # heads the column of the rows that have this task and nothing else


def build_section(scores: Sequence[PhaseScores]) -> str:
    """Tasks by rows: the mean English dev score after the phase, and which of them show no learning, as MyST."""
    if not scores:
        return ""
    tasks = [name for name in TASKS if name in {entry.task for entry in scores}]
    columns = sorted(dict.fromkeys(map(_column, scores)), key=lambda column: column != ALONE)
    cells = {(entry.task, _column(entry)): _cell(entry) for entry in scores}
    chances = {entry.task: entry.chance for entry in scores}
    rows = [
        [
            markdown_text(short_title(task)),
            ABSENT if chances[task] is None else f"{chances[task]:.1f}",
            *(cells.get((task, column), ABSENT) for column in columns),
        ]
        for task in tasks
    ]
    headings = ["task", "chance", *(markdown_text(column) for column in columns)]
    parts = [
        "## What was learnt in the intermediate phase?",
        "The English dev score of each task after its phase, in percent: the mean, and the range over encoders and "
        "seeds. *Chance* is the score of equal guessing among the choices, or of the most frequent label (in SQuAD "
        "2.0, of no answer); a task without a number has no such answer. *Italics*: no learning is shown, because the "
        "95 % interval over dev items reaches down to chance, or because all phases have one score, as if each gave "
        "every item the same answer.",
        markdown_table(headings, rows),
        _explain(scores),
    ]
    return "\n\n".join(part.strip() for part in parts if part)


def list_not_learnt(scores: Sequence[PhaseScores], row: str) -> str:
    """Which tasks of a row show no learning, in words; empty if all do."""
    tasks = not_learnt(scores).get(row, ())
    of = len([entry for entry in scores if entry.row == row])
    if len(tasks) > 1:
        return f"{short_title(row)} ({len(tasks)} of its {of} tasks)"
    return "".join(map(short_title, tasks))


def _explain(scores: Sequence[PhaseScores]) -> str:
    """What the rows without learning can say."""
    found = not_learnt(scores)
    if not found:
        return ""
    words = list_words([markdown_text(list_not_learnt(scores, row)) for row in found])
    return (
        f"**No learning is shown for {words}.** Such a row says what so short a phase does to the encoder, and not "
        "what the task brings."
    )


def _cell(entry: PhaseScores) -> str:
    text = f"{entry.mean:.1f}"
    if len(entry.scores) > 1:
        text += f" ({min(entry.scores):.0f} to {max(entry.scores):.0f})"
    return text if entry.learnt else f"*{text}*"


def _column(entry: PhaseScores) -> str:
    return ALONE if entry.row == entry.task else short_title(entry.row)
