"""Retrieval of a grid's rows, raw beside centred, as a table in Markdown."""

from collections.abc import Sequence

from stilts_core.report.analysis.centring import KINDS, When, mean_at_scored_state
from stilts_core.report.analysis.grid import Cell
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title

BEFORE = "before any phase"


def centring_table(cells: Sequence[Cell]) -> str:
    """Rows by raw, globally centred and language-centred score; "" if no run has them.

    Scores are at the hidden state by which the target is scored, as means over languages and runs.
    """
    everyone = [record for cell in cells for record in cell.records]
    rows = [
        [BEFORE, *_scores(everyone, "before")],
        *([short_title(cell.row), *_scores(cell.records)] for cell in cells),
    ]
    known = [row for row in rows if any(row[1:])]
    return markdown_table(["intermediate task", *KINDS.values()], known) if known else ""


def _scores(records: Sequence[GridRun], when: When = "after") -> list[str]:
    scores = (mean_at_scored_state(records, when, kind) for kind in KINDS)
    return ["" if score is None else f"{score:.1f}" for score in scores]
