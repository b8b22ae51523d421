"""Retrieval from every hidden state, raw and centred, before and after the phases."""

from typing import Any

import numpy as np
from IPython.display import SVG
from matplotlib.ticker import MaxNLocator

from stilts_core.report.analysis.centring import KINDS, mean_by_state
from stilts_core.report.figures.style import (
    COLOURS,
    HIDDEN_STATE,
    MARKERS,
    add_legend,
    set_title,
    styled_figure,
    to_svg,
)
from stilts_core.report.tables.html import metric_name
from stilts_core.runs.record import Record


def draw_centring(record: Record) -> SVG | None:
    """Draw the mean retrieval score from every hidden state in three ways; None for a record without them.

    A run without phases has one line for each way, because nothing changed.
    """
    lines = {kind: mean_by_state(record, "after", kind) for kind in KINDS}
    if not any(lines.values()):
        return None
    with styled_figure(3.6) as figure:
        axes = figure.add_subplot()
        for index, (kind, name) in enumerate(KINDS.items()):
            style: dict[str, Any] = {"color": COLOURS[index], "marker": MARKERS[index]}
            axes.plot(_numbers(lines[kind]), linewidth=2, label=f"{name}, after" if record.phases else name, **style)
            if record.phases:
                before = _numbers(mean_by_state(record, "before", kind))
                axes.plot(before, linewidth=1.2, linestyle="--", label=f"{name}, before", **style)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(HIDDEN_STATE)
        axes.set_ylabel(f"{metric_name(record.metric)}, 0–100")
        set_title(figure, centring_finding(record))
        add_legend(figure)
        return SVG(to_svg(figure))


def centring_finding(record: Record) -> str:
    """What the figure shows in one sentence: raw and language-centred scores at the state by which a run is scored."""
    state = record.retrieval.state if record.retrieval else 0
    raw, own = (mean_by_state(record, "after", kind)[state : state + 1] for kind in ("raw", "language_centred"))
    if not raw or not own or raw[0] is None or own[0] is None:
        return "Retrieval from every hidden state"
    return f"Hidden state {state} retrieves {raw[0]:.1f}, and {own[0]:.1f} without the offsets of languages"


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values])
