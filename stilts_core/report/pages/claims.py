"""The page "What holds?": the claims of the paper beside what the recorded grids of this book say."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stilts_core.report.analysis.claims import (
    NEGLIGIBLE,
    ClaimEstimate,
    ClaimPart,
    average_gain,
    gain_of_choice,
    gain_on,
    judge_claims,
    mean_gain_on,
    row_minus_row,
)
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.kept_runs import read_kept_runs
from stilts_core.report.escape import html_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.chapter import open_chapter
from stilts_core.report.pages.questions.contrasts import two_lines
from stilts_core.report.pages.questions.wording import NO_BREAK, PENDING
from stilts_core.report.pages.recorded import GRIDS
from stilts_core.report.tables.grid import format_interval, format_signed
from stilts_core.report.tables.html import CellValue, table
from stilts_core.tasks.facts import read_facts

PARTS = (
    ClaimPart(1, "SQuAD, mean over targets", average_gain("squad"), "+8.2"),
    ClaimPart(1, "MNLI, mean over targets", average_gain("mnli"), "+7.5"),
    ClaimPart(1, "HellaSwag, mean over targets", average_gain("hellaswag"), "+7.0"),
    ClaimPart(2, "all nine tasks, mean over targets", average_gain("all"), "+8.7"),
    ClaimPart(2, "all nine tasks minus SQuAD", row_minus_row("all", "squad"), "+0.5"),
    ClaimPart(3, "BUCC and Tatoeba, mean over the nine tasks", mean_gain_on("bucc2018", "tatoeba")),
    ClaimPart(4, "TyDiQA, mean over the nine tasks", gain_on("tydiqa")),
    ClaimPart(4, "XNLI, mean over the tasks that do not hold its data", gain_on("xnli"), benefit=False),
    ClaimPart(5, "the row that English dev scores choose, mean over targets", gain_of_choice, "+5.4"),
    ClaimPart(6, "all nine tasks minus the same with MLM beside them", row_minus_row("all", "all+mlm")),
)
# What a reader must know to compare an arm with the paper; it holds whatever the estimates are.
REMARKS: Mapping[int, str] = {
    1: "The paper's gains are those of XLM-R Large with the full sets.",
    3: "An encoder that was trained to align translations leaves nothing to gain in retrieval, and much to lose; the "
    "laboratory's encoders were trained by masked LM alone, as XLM-R was.",
    4: "XNLI's own training set is MNLI, so that MNLI and ANLI do not count there.",
    5: "Here a target may also choose to have no intermediate training.",
    6: "The paper's abstract says less: neither alternative consistently outperforms English intermediate tasks alone. "
    "Translated intermediate data are not tested here.",
    7: "A choice of the paper and not a result. The encoders of this book are smaller; the profile called paper has "
    "XLM-R Large.",
    8: "The method, which every run of this book follows.",
    9: "The design. All nine are rows of the grids, some with stand-ins that the pages name.",
}
ARMS: Mapping[str, str] = {"wide": "laboratory"}  # from the page of a recorded grid to its name in the table


class RecordedGrid(NamedTuple):
    """A recorded grid; `interim`: runs are missing, so that there is no verdict yet."""

    grid: Grid
    interim: bool


def write_page(writer: PageWriter, protocols: Path | None = None) -> dict[str, Counter[str]]:
    """Write `generated/claims.md` and its CSV file, and return how often each grid gave each verdict.

    Raises ConfigError for a wrong protocol.
    """
    recorded = read_grids(writer.folder, protocols)
    estimates = judge_claims(PARTS, {name: entry.grid for name, entry in recorded.items()})
    rows: list[list[CellValue]] = []
    csv_rows = []
    for fact in read_facts("claims"):
        number = int(fact["number"])
        parts = [part for part in PARTS if part.claim == number]
        claim = _claim_cell(number, fact["claim"])
        for part in parts:
            cells = [_cell(recorded.get(name), estimates.get((name, part))) for name in ARMS]
            rows.append([claim, html_text(part.words), part.paper or "–", *cells])
            claim = ""
        if not parts:
            rows.append([claim, "–", "–", *("–" for _ in ARMS)])
        csv_rows += [_csv_row(part, name, estimates[name, part], recorded[name]) for part in parts for name in recorded]
    path = writer.write_csv("claims", ["claim", "what", "arm", "paper", "value", "low", "high", "verdict"], csv_rows)
    content = f"{_explain(recorded)}\n\n{table(['claim', 'measured as', 'paper', *ARMS.values()], rows).data}\n\n"
    writer.write("generated/claims.md", f"{content}{{download}}`CSV <{path}>`\n")
    return {
        ARMS[name]: Counter(_verdict(estimates[name, part], grid) for part in PARTS) for name, grid in recorded.items()
    }


def read_grids(book_dir: Path, protocols: Path | None = None) -> dict[str, RecordedGrid]:
    """The recorded grids that the book has, by the name of their page."""
    recorded = {}
    for page in ARMS:
        chapter = open_chapter(GRIDS[page], book_dir, protocols)
        if chapter.table is not None:
            runs = read_kept_runs(chapter.protocol, chapter.table)
            recorded[page] = RecordedGrid(Grid(runs, designed=True), chapter.is_interim)
    return recorded


def _claim_cell(number: int, claim: str) -> str:
    """A claim with what a reader must know to compare it."""
    remark = f"<br><small>{html_text(REMARKS[number])}</small>" if number in REMARKS else ""
    return f'<div style="min-width: 16em">{number}. {html_text(claim)}.{remark}</div>'


def _cell(recorded: RecordedGrid | None, estimate: ClaimEstimate | None) -> str:
    if recorded is None or estimate is None:
        return "–"
    if estimate.value is None:
        return estimate.verdict
    verdict = _verdict(estimate, recorded)
    words = f"<b>{verdict}</b>" if verdict in ("agrees", "disagrees") else verdict
    bounds = format_interval(estimate.value).replace(" ", NO_BREAK)
    return two_lines(f"{format_signed(estimate.value.value)} [{bounds}]", words)


def _verdict(estimate: ClaimEstimate, recorded: RecordedGrid) -> str:
    return PENDING if recorded.interim and estimate.value else estimate.verdict


def _csv_row(part: ClaimPart, name: str, estimate: ClaimEstimate, recorded: RecordedGrid) -> list[object]:
    value = estimate.value
    numbers = [value.value, *value.interval] if value else ["", "", ""]
    return [part.claim, part.words, ARMS[name], part.paper, *numbers, _verdict(estimate, recorded)]


def _explain(recorded: Mapping[str, RecordedGrid]) -> str:
    """How the claims were judged, and which grids are missing."""
    missing = [f"the grid of [{ARMS[name]}]({name}.md)" for name in ARMS if name not in recorded]
    absent = f" Not recorded yet: {' and '.join(missing)}." if missing else ""
    waiting = ""
    if any(entry.interim for entry in recorded.values()):
        waiting = " A verdict is *pending* while encoders of its grid are missing: looks at each new one would not do."
    return (
        "Differences from no intermediate training, in points, paired by seed and encoder, with 95 % intervals. A gain "
        "*agrees* if it is clearly positive after Holm's correction over all differences on this page, and "
        "*disagrees* if it is clearly negative. A claim of no benefit agrees if the interval ends below "
        f"{NEGLIGIBLE:g} point. Otherwise the data cannot tell. Targets that share their data with a task do not "
        f"count.{absent}{waiting}"
    )
