"""The page "Cost": a forecast of the paper's grid, and the results of `stilts bench`, in MyST Markdown."""

import json
from pathlib import Path

from stilts_core.bench.table import HEADINGS, build_rows
from stilts_core.bench.workloads import PEERS, WORKLOADS
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.figures.bench import draw_growth, draw_ratios
from stilts_core.report.figures.image import markdown_image
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import forecast
from stilts_core.report.tables.html import count, markdown_table, minute

NOT_MEASURED = (
    "There is no benchmark yet. `make bench` measures all workloads on this machine and writes "
    "`book/results/bench.json`; `stilts report` then fills this page. `stilts bench --quick` tries out the benchmark "
    "with small sizes.\n"
)
UNREADABLE = (
    "The benchmark's result `book/results/bench.json` cannot be read: it is damaged, or another version wrote it. "
    "Restore the file, or measure again with `make bench`.\n"
)
SPEEDS = ("examples_per_second", "seconds")


def build_page(bench: Path, writer: PageWriter) -> str:
    """The generated part of the page: a forecast, and what the JSON file of `stilts bench` has, if there is one."""
    planned, workloads = forecast.build_section(bench), _workloads()
    if not bench.exists():
        return f"{planned}\n\n{NOT_MEASURED}\n\n{workloads}\n"
    try:
        result = json.loads(bench.read_text(encoding="utf-8"))
        sections = [*_result_sections(result, writer), workloads]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return f"{planned}\n\n{UNREADABLE}\n\n{workloads}\n"
    return "\n\n".join([planned, *sections]) + "\n"


def _result_sections(result: dict, writer: PageWriter) -> list[str]:
    """The figures and tables of a benchmark. Raises an error of one of many kinds if the file has another form."""
    reduced = [code_span(name) for name, facts in result["provenance"].items() if facts["reduced"]]
    warning = f"**Measured with small sizes for trying out, so not informative:** {', '.join(reduced)}."
    # Workloads and measures are titles of this package; all else comes from the file.
    rows = [[*row[:2], *map(markdown_text, row[2:])] for row in build_rows(result)]
    return [
        "## Ratios",
        *([warning] if reduced else []),
        *_figures(result, writer),
        "## All figures",
        markdown_table(HEADINGS, rows),
        _provenance(result["provenance"]),
    ]


def _figures(result: dict, writer: PageWriter) -> list[str]:
    """Write the figures for which there are measurements, and return their images as Markdown."""
    figures = {
        "speed": (
            draw_ratios(result, SPEEDS, "Speed"),
            "Ratio of speeds by workload.",
        ),
        "memory": (
            draw_ratios(result, ("peak_memory_bytes",), "Peak memory"),
            "Ratio of peak memory by workload.",
        ),
        "growth": (draw_growth(_curves(result)), "Cost by size, on logarithmic axes."),
    }
    images = []
    for name, (svg, description) in figures.items():
        if svg:
            path = f"generated/cost-{name}.svg"
            writer.write(path, svg)
            images.append(markdown_image(svg, path, description))
    return images


def _curves(result: dict) -> dict:
    """The measures of growth that have points."""
    measures = result.get("growth", {}) | result.get("sweep", {})
    return {name: peers for name, peers in measures.items() if all("points" in entry for entry in peers.values())}


def _workloads() -> str:
    table = markdown_table(
        ["workload", "what is measured", "peers"],
        [[f"`{workload.name}`", workload.title, ", ".join(workload.peers) or "–"] for workload in WORKLOADS.values()],
    )
    peers = "\n".join(f"- **{name}**: {title}." for name, title in PEERS.items())
    return f"## Workloads and peers\n\n{table}\n{peers}"


def _provenance(provenance: dict[str, dict]) -> str:
    """The time, machine, encoder and revision of each workload, and the versions of all packages."""
    rows = []
    for name, facts in provenance.items():
        machine = facts["environment"]
        rows.append(
            [
                *map(markdown_text, (name, minute(facts["finished"]))),
                markdown_text(
                    f"{machine['cpu']}, {count(machine['threads'], 'thread')}, {machine['device']}, "
                    f"{machine['precision']}"
                ),
                *map(markdown_text, (facts["encoder"]["name"], facts["repetitions"])),
                code_span(machine["git_revision"]),
            ]
        )
    columns = ["workload", "finished (UTC)", "machine", "encoder", "repetitions", "revision"]
    versions = dict.fromkeys(
        markdown_text(f"{package} {version}")
        for facts in provenance.values()
        for package, version in (facts["environment"]["packages"] | facts["peer_packages"]).items()
        if version
    )
    return f"## Machines and versions\n\n{markdown_table(columns, rows)}\n**Versions:** {', '.join(versions)}."
