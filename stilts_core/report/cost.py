"""The page "Cost": what `stilts bench` measured, as figures and tables in MyST Markdown."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from stilts_core.bench.table import HEADINGS, reached, rows
from stilts_core.bench.workloads import PEERS, WORKLOADS
from stilts_core.report.figures import COLOURS, MARKERS, STYLE, WIDTH, drawn
from stilts_core.report.markup import pipe_table
from stilts_core.report.pages import Pages

NOT_MEASURED = (
    "Nothing has been measured here yet: `make bench` measures all workloads on the machine that it runs on and leaves "
    "`book/results/bench.json`; `stilts report` then draws this page from it. `stilts bench --quick` tries it out.\n"
)
AXES = {
    "languages": "languages scored",
    "examples": "examples trained on",
    "length": "sub-words of an input",
    "corpus": "vectors searched",
    "corpus_memory": "vectors searched",
    "grid": "runs of a grid",
}
SPEEDS = ("examples_per_second", "seconds")


def page(bench: Path, pages: Pages) -> str:
    """The generated part of the page, from the JSON of `stilts bench` where there is one, and its figures."""
    parts = [_workloads()]
    if not bench.exists():
        return "\n\n".join([NOT_MEASURED, *parts]) + "\n"
    result = json.loads(bench.read_text(encoding="utf-8"))
    shown = []
    with rc_context(STYLE):
        pictures = {
            "speed": (_ratios(result, SPEEDS, "How many times faster than the peer"), "Ratio of speeds by workload."),
            "memory": (
                _ratios(result, ("peak_memory_bytes",), "How much of the peer's memory"),
                "Ratio of peak memory by workload.",
            ),
            "growth": (_growth(result.get("growth", {})), "Cost by size, on logarithmic axes."),
        }
        for name, (figure, text) in pictures.items():
            if figure:
                pages.write(f"generated/cost-{name}.svg", drawn(figure))
                shown.append(f"![{text}](generated/cost-{name}.svg)")
    reduced = [f"`{name}`" for name, facts in result["provenance"].items() if facts["reduced"]]
    if reduced:
        shown.insert(0, f"**Measured at sizes for trying out, which say nothing:** {', '.join(reduced)}.")
    sections = ["## Ratios", *shown, "## Every figure", pipe_table(HEADINGS, rows(result)), _provenance(result)]
    return "\n\n".join([*sections, *parts]) + "\n"


def _workloads() -> str:
    table = pipe_table(
        ["workload", "what is measured", "peers"],
        [[f"`{row.name}`", row.title, ", ".join(row.peers) or "–"] for row in WORKLOADS.values()],
    )
    peers = "\n".join(f"- **{name}**: {text}." for name, text in PEERS.items())
    return f"## Workloads and peers\n\n{table}\n{peers}"


def _ratios(result: dict, measures: Sequence[str], title: str) -> Figure | None:
    """The ratio to every peer with its range, by workload; the bound that is aimed at as an upright bar."""
    lines = [
        (name, peer, entry["ratio"], reached(name, measure, peer, entry))
        for name in WORKLOADS
        for measure in measures
        for peer, entry in result.get(name, {}).get(measure, {}).items()
        if "ratio" in entry
    ]
    if not lines:
        return None
    peers = list(dict.fromkeys(peer for _, peer, _, _ in lines))
    figure = Figure(figsize=(WIDTH, 1.7 + 0.3 * len(lines)), layout="constrained")
    axes = figure.add_subplot(xscale="log")
    for index, peer in enumerate(peers):
        own = [(row, ratio) for row, (_, other, ratio, _) in enumerate(lines) if other == peer]
        middle = [ratio["median"] for _, ratio in own]
        sides = [[ratio["median"] - ratio["min"], ratio["max"] - ratio["median"]] for _, ratio in own]
        look = {"color": COLOURS[index], "fmt": MARKERS[index], "elinewidth": 1.5, "label": peer}
        axes.errorbar(middle, [row for row, _ in own], xerr=list(zip(*sides, strict=True)), **look)
    aims = [(found[0].bound, row) for row, (*_, found) in enumerate(lines) if found]
    if aims:
        axes.scatter(*zip(*aims, strict=True), marker="|", s=160, color="#000000", label="aim")
    axes.axvline(1, color="#888888", linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(lines)), [name for name, *_ in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("ratio: median, smallest and largest of the repetitions")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


def _growth(curves: dict) -> Figure | None:
    """One panel a curve, with the line of the fitted exponent."""
    if not curves:
        return None
    figure = Figure(figsize=(WIDTH, 2.3 * (len(curves) + 1) // 2), layout="constrained")
    panels = figure.subplots((len(curves) + 1) // 2, 2, squeeze=False).flat
    for (name, peers), axes in zip(curves.items(), panels, strict=False):
        (entry,) = peers.values()
        sizes, costs = zip(*entry["points"], strict=True)
        middle, cost = geometric_mean(sizes), geometric_mean(costs)  # through which the line of least squares goes
        fitted = [cost * (size / middle) ** entry["exponent"] for size in sizes]
        axes.loglog(sizes, fitted, color="#888888", linestyle="--", linewidth=1)
        axes.loglog(sizes, costs, color=COLOURS[0], marker="o", linestyle="none")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(EngFormatter(sep=""))
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(f"exponent {entry['exponent']:.2f}")
        axes.set_xlabel(AXES[name])
        axes.set_ylabel({"s": "seconds"}.get(entry["unit"], entry["unit"]))
    for axes in panels:
        axes.set_axis_off()
    return figure


def _provenance(result: dict) -> str:
    lines = [
        [
            name,
            facts["finished"],
            f"{facts['environment']['cpu']}, {facts['environment']['threads']} threads, "
            f"{facts['environment']['device']}, {facts['environment']['precision']}",
            facts["encoder"]["name"],
            facts["repetitions"],
            f"`{facts['environment']['git_revision']}`",
        ]
        for name, facts in result["provenance"].items()
    ]
    columns = ["workload", "finished", "machine", "encoder", "repetitions", "revision"]
    versions = dict.fromkeys(
        f"{package} {version}"
        for facts in result["provenance"].values()
        for package, version in (facts["environment"]["packages"] | facts["peer_packages"]).items()
        if version
    )
    return f"## Where and with what\n\n{pipe_table(columns, lines)}\n**Versions:** {', '.join(versions)}."
