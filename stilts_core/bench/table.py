"""The benchmark's result as text: one row a workload, measure and peer."""

import statistics

from stilts_core.bench.workloads import MEASURES, WORKLOADS, Aim

HEADINGS = ("workload", "measure", "peer", "ours", "theirs", "ratio", "aim")


def rows(result: dict) -> list[list[str]]:
    """The result as a table: workload, measure, peer, ours, theirs, ratio, and whether what is aimed at is reached."""
    return [
        [name, MEASURES[measure].title, peer, *cells(entry), _aim(name, measure, peer, entry)]
        for name in WORKLOADS
        for measure, peers in result.get(name, {}).items()
        for peer, entry in peers.items()
    ]


def cells(entry: dict) -> list[str]:
    """Ours, theirs and their ratio as text: median, and in brackets smallest and largest."""
    if "points" in entry:
        ends = (f"{size:,}: {figure(cost, entry['unit'])}" for size, cost in (entry["points"][0], entry["points"][-1]))
        return [" … ".join(ends), "", f"size ** {entry['exponent']:.2f}"]
    sides = (figures(entry[side], entry["unit"]) if side in entry else "" for side in ("ours", "theirs"))
    ratio = entry.get("ratio") or entry.get("difference")
    shown = "" if ratio is None else f"{ratio['median']:.2f} ({ratio['min']:.2f} – {ratio['max']:.2f})"
    return [*sides, shown + ("" if "difference" not in entry else " points")]


def figures(values: list[float], unit: str) -> str:
    """The median of some figures, with smallest and largest where they differ."""
    middle, least, most = (figure(value(values), unit) for value in (statistics.median, min, max))
    return middle if least == most else f"{middle} ({least} – {most})"


def figure(value: float, unit: str) -> str:
    """One figure in its unit, as a person says it."""
    if unit == "bytes":
        return f"{value / 2**30:.2f} GiB"
    if unit == "share":
        return f"{100 * value:.1f} %"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1)
    return f"{value:,.{digits}f}" + {"s": " s", "1/s": "/s"}.get(unit, "")


def reached(name: str, measure: str, peer: str, entry: dict) -> tuple[Aim, bool] | None:
    """What the workload aims at here and whether its median reaches it; None where nothing is aimed at."""
    aims = [aim for aim in WORKLOADS[name].aims if (aim.measure, aim.peer) == (measure, peer)]
    if not aims:
        return None
    value = entry["ratio"]["median"] if "ratio" in entry else statistics.median(entry["ours"])
    return aims[0], aims[0].met(value)


def _aim(name: str, measure: str, peer: str, entry: dict) -> str:
    found = reached(name, measure, peer, entry)
    if found is None:
        return ""
    aim, met = found
    bound = f"{aim.bound:g}" if "ratio" in entry else figure(aim.bound, entry["unit"])
    return f"{'≤' if aim.at_most else '≥'} {bound}: {'reached' if met else 'missed'}"
