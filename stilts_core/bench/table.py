"""The result of the benchmark as text: one row for each workload, measure and peer."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stilts_core.bench.figures import Entry, MeasuredFigures
from stilts_core.bench.workloads import MEASURES, WORKLOADS, Aim

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("workload", "measure", "peer", "ours", "theirs", "ratio", "aim")


def build_rows(result: Mapping[str, MeasuredFigures]) -> list[list[str]]:
    """The rows of the table, as text under HEADINGS. Keys of `result` that name no workload are left out."""
    return [
        [name, MEASURES[measure].title, peer, *format_entry(entry), _format_aim(name, measure, peer, entry)]
        for name in WORKLOADS
        for measure, peers in result.get(name, {}).items()
        for peer, entry in peers.items()
    ]


def build_table(result: Mapping[str, MeasuredFigures]) -> "Table":
    """The rows as a table for a terminal."""
    from rich.table import Table

    table = Table(*HEADINGS, box=None)
    for cells in build_rows(result):
        table.add_row(*cells)
    return table


def format_entry(entry: Entry) -> list[str]:
    """Our value, the peer's value and their ratio as text: the median, and the smallest and largest in brackets."""
    if "points" in entry:
        ends = [entry["points"][0], entry["points"][-1]]
        curve = " … ".join(f"{size:,}: {format_figure(cost, entry['unit'])}" for size, cost in ends)
        return [curve, "", f"size ** {entry['exponent']:.2f}"]
    ours = format_figures(entry["ours"], entry["unit"])
    theirs = format_figures(entry["theirs"], entry["unit"]) if "theirs" in entry else ""
    compared = entry.get("ratio") or entry.get("difference")
    if compared is None:
        return [ours, theirs, ""]
    unit = " points" if "difference" in entry else ""
    return [ours, theirs, f"{compared['median']:.2f} ({compared['min']:.2f} – {compared['max']:.2f}){unit}"]


def format_figures(values: Sequence[float], unit: str) -> str:
    """The median of several figures, with the smallest and the largest where they differ."""
    middle, least, most = (format_figure(value(values), unit) for value in (statistics.median, min, max))
    return middle if least == most else f"{middle} ({least} – {most})"


def format_figure(value: float, unit: str) -> str:
    """One figure with its unit, rounded for a reader."""
    if unit == "bytes":
        return f"{value / 2**30:.2f} GiB"
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "steps":
        return f"{value:,.0f}"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1)
    return f"{value:,.{digits}f}" + {"s": " s", "1/s": "/s"}.get(unit, "")


def check_aim(name: str, measure: str, peer: str, entry: Entry) -> tuple[Aim, bool] | None:
    """The aim of a workload for this measure and peer, and whether the median reaches it; None without an aim."""
    aims = [aim for aim in WORKLOADS[name].aims if (aim.measure, aim.peer) == (measure, peer)]
    if not aims:
        return None
    value = entry["ratio"]["median"] if "ratio" in entry else statistics.median(entry["ours"])
    return aims[0], aims[0].is_reached_by(value)


def _format_aim(name: str, measure: str, peer: str, entry: Entry) -> str:
    checked = check_aim(name, measure, peer, entry)
    if checked is None:
        return ""
    aim, reached = checked
    bound = f"{aim.bound:g}" if "ratio" in entry else format_figure(aim.bound, entry["unit"])
    return f"{'≤' if aim.at_most else '≥'} {bound}: {'reached' if reached else 'missed'}"
