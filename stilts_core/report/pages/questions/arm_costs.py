"""What the training of each arm of a study cost, because arms with equal steps need not cost the same."""

from typing import TYPE_CHECKING

from stilts_core.report.escape import code_span
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.results import FACTOR

if TYPE_CHECKING:  # pandas takes a second to import
    import pandas as pd

MEASURES = ("flops", "seconds")  # begin the metrics of the costs of a phase
TERA = 1e12


def describe_costs(chapter: Chapter) -> list[str]:
    """The mean cost of a run of each arm on the primary target, as MyST; nothing where costs were not recorded."""
    if chapter.table is None or chapter.protocol.latency:
        return []
    target = chapter.protocol.primary.target
    frame = chapter.table.frame
    frame = frame[(frame["target"] == target) & frame["metric"].str.startswith(MEASURES)]
    if frame.empty:
        return []
    factors = [FACTOR + name for name in chapter.protocol.factors]
    rows = [
        [code_span(arm), *(_mean_cost(frame[frame["arm"] == arm], measure, factors) for measure in MEASURES)]
        for arm in chapter.protocol.arms
        if arm in set(frame["arm"])
    ]
    over = ", over all levels that it has" * bool(factors)
    return [
        f"What training costs: the mean of a run on {short_title(target)}{over}, all phases together. Arms with equal "
        "steps need not cost the same, because their texts differ in length, and a second batch adds its own. Seconds "
        "are wall-clock time beside other work.",
        markdown_table(["arm", "floating-point operations, 10¹²", "seconds"], rows),
    ]


def _mean_cost(frame: "pd.DataFrame", measure: str, factors: list[str]) -> str:
    """The mean over runs of the sum over phases."""
    own = frame[frame["metric"].str.startswith(f"{measure}:")]
    by_run = own.groupby(["run", *factors])["score"].sum()
    return f"{by_run.mean() / (TERA if measure == 'flops' else 1):.2f}" if len(by_run) else "–"
