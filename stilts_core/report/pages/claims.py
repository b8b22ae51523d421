"""The page "What holds?": the claims of the paper beside what the recorded grids of this book say."""

import textwrap
from collections.abc import Mapping

from stilts_core.report.analysis.claims import (
    NEGLIGIBLE,
    ClaimEstimate,
    ClaimPart,
    Verdict,
    average_gain,
    gain_of_choice,
    gain_on,
    judge_claims,
    mean_gain_on,
    row_minus_row,
    without_most_influential,
)
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.published import CHOICE, stated_gains
from stilts_core.report.escape import html_text, markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.learning import list_not_learnt
from stilts_core.report.pages.questions.contrasts import two_lines
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.pages.recorded import RecordedGrid
from stilts_core.report.tables.html import CellValue, table
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task
from stilts_core.tasks.facts import read_facts

STATED = {row: value for row, value in stated_gains().values()}
PARTS = (
    ClaimPart(1, "SQuAD, mean over targets", average_gain("squad"), STATED["squad"], rows=("squad",)),
    ClaimPart(1, "MNLI, mean over targets", average_gain("mnli"), STATED["mnli"], rows=("mnli",)),
    ClaimPart(1, "HellaSwag, mean over targets", average_gain("hellaswag"), STATED["hellaswag"], rows=("hellaswag",)),
    ClaimPart(2, "all nine tasks, mean over targets", average_gain("all"), STATED["all"], rows=("all",)),
    ClaimPart(
        2, "all nine tasks minus SQuAD", row_minus_row("all", "squad"), STATED["all"] - STATED["squad"],
        rows=("all", "squad"),
    ),
    ClaimPart(
        3, "BUCC and Tatoeba, mean over the nine tasks", mean_gain_on("bucc2018", "tatoeba"), rows=INTERMEDIATE_TASKS,
        targets=("bucc2018", "tatoeba"),
    ),
    ClaimPart(
        4, "TyDiQA, mean over the nine tasks", gain_on("tydiqa"), rows=INTERMEDIATE_TASKS, targets=("tydiqa",)
    ),
    ClaimPart(
        4, "XNLI, mean over the tasks that do not hold its data", gain_on("xnli"), benefit=False,
        rows=INTERMEDIATE_TASKS,
    ),
    ClaimPart(5, "the row that English dev scores choose, mean over targets", gain_of_choice, STATED[CHOICE]),
    ClaimPart(
        6, "all nine tasks minus the same with MLM beside them", row_minus_row("all", "all+mlm"),
        rows=("all", "all+mlm"),
    ),
)  # fmt: skip
# What a reader must know to compare an arm with the paper; it holds whatever the estimates are.
REMARKS: Mapping[int, str] = {
    1: "The paper's gains are those of XLM-R Large with the full sets.",
    3: "An encoder that was trained to align translations starts high, so that an English task has more to lose than "
    "to gain; the laboratory's encoders were trained by masked LM alone, as XLM-R was.",
    4: "XNLI's own training set is MNLI, so that MNLI and ANLI do not count there.",
    5: "Here a target may also choose to have no intermediate training. The other seeds or encoders choose, so that no "
    "run both chooses and counts.",
    6: "The paper's abstract says less: neither alternative consistently outperforms English intermediate tasks alone. "
    "Translated intermediate data are not tested here.",
    7: "A choice of the paper and not a result. The encoders of this book are smaller; the profile called paper has "
    "XLM-R Large.",
    8: "The method, which every run of this book follows.",
    9: "The design. All nine are rows of the grids, some with stand-ins that the pages name.",
}
# From the page of a recorded grid to its name in the table.
ARMS: Mapping[str, str] = {"wide": "laboratory", "real": "real languages"}
VERDICT_WORDS: Mapping[Verdict, str] = {
    "agrees": "agree",
    "disagrees": "disagree",
    "cannot tell": "stay open",
    "not tested": "were not tested",
}
BELOW, ABOVE = "below the paper's number", "above the paper's number"
FIGURE = "generated/claims.svg"
ROW_CHARACTERS = 28  # of a line of a row's name in the figure
Estimates = Mapping[tuple[str, ClaimPart], ClaimEstimate]


def write_page(writer: PageWriter, grids: Mapping[str, RecordedGrid]) -> str:
    """Write `generated/claims.md` and its CSV file, and return the finding in one sentence."""
    recorded = {name: grids[name] for name in ARMS if name in grids and grids[name].grid.records}
    interim = [name for name, entry in recorded.items() if entry.interim]
    estimates = judge_claims(PARTS, {name: entry.grid for name, entry in recorded.items()}, interim)
    rows: list[list[CellValue]] = []
    csv_rows = []
    for fact in read_facts("claims"):
        number = int(fact["number"])
        parts = [part for part in PARTS if part.claim == number]
        claim = _claim_cell(number, fact["claim"])
        for part in parts:
            cells = [_cell(part, estimates.get((name, part)), recorded.get(name)) for name in ARMS]
            rows.append([claim, html_text(part.words), _paper(part), *cells])
            claim = ""
        if not parts:
            rows.append([claim, "–", "–", *("–" for _ in ARMS)])
        csv_rows += [_csv_row(part, name, estimates[name, part]) for part in parts for name in recorded]
    path = writer.write_csv("claims", ["claim", "what", "arm", "paper", "value", "low", "high", "verdict"], csv_rows)
    content = [
        *_figure(estimates, recorded, writer),
        _explain(recorded),
        table(["claim", "measured as", "paper", *ARMS.values()], rows).data,
        f"{{download}}`CSV <{path}>`",
        *_explain_influence(recorded),
    ]
    writer.write("generated/claims.md", "\n\n".join(content) + "\n")
    return _finding(estimates, recorded)


def _figure(estimates: Estimates, recorded: Mapping[str, RecordedGrid], writer: PageWriter) -> list[str]:
    """The paper's numbers and the estimates of every recorded grid on one axis, and how to read them."""
    rows = []
    for part in PARTS:
        ours = (estimates[name, part].value for name in recorded)
        stated = PlottedInterval(part.paper, part.paper, part.paper) if part.paper is not None else None
        intervals = (PlottedInterval(value.value, *value.interval) if value else None for value in ours)
        rows.append(IntervalRow(textwrap.fill(f"{part.claim}. {part.words}", ROW_CHARACTERS), (stated, *intervals)))
    title = _finding(estimates, recorded)
    series = ["paper, XLM-R Large", *(ARMS[name] for name in recorded)]
    axis = "difference in points, with 95 % interval"
    writer.write(FIGURE, draw_intervals(rows, title, axis, series=series))
    return [
        f"![{markdown_text(title)}]({FIGURE})",
        "The number of the claim stands before what was measured. The paper states its numbers without "
        "intervals, and none for some claims; they are means over other encoders and other data, so compare signs and "
        "order. A row without an interval was not tested here yet.",
    ]


def _finding(estimates: Estimates, recorded: Mapping[str, RecordedGrid]) -> str:
    """What the figure shows, in one sentence: the verdicts of each grid, or why there is none."""
    if not recorded:
        low, high = (signed(end(STATED.values()), 1) for end in (min, max))
        return f"The paper states gains of {low} to {high} points; this book has no recorded grid to compare yet"
    clauses = []
    for name, entry in recorded.items():
        verdicts = [estimates[name, part].verdict for part in PARTS]
        if entry.interim:
            known = len(verdicts) - verdicts.count("not tested")
            clauses.append(f"{known} have an interim estimate and none a verdict ({ARMS[name]})")
            continue
        counts = [f"{verdicts.count(kind)} {word}" for kind, word in VERDICT_WORDS.items() if kind in verdicts]
        clauses.append(f"{list_words(counts)} ({ARMS[name]})")
    return f"Of {len(PARTS)} parts of the paper's claims, {'; '.join(clauses)}"


def _paper(part: ClaimPart) -> str:
    return "–" if part.paper is None else signed(part.paper, 1)


def _claim_cell(number: int, claim: str) -> str:
    """A claim with what a reader must know to compare it."""
    remark = f"<br><small>{html_text(REMARKS[number])}</small>" if number in REMARKS else ""
    return f'<div style="min-width: 16em">{number}. {html_text(claim)}.{remark}</div>'


def _cell(part: ClaimPart, estimate: ClaimEstimate | None, recorded: RecordedGrid | None) -> str:
    """The value, its interval, the verdict, whether the paper's number lies beyond it, and what was not learnt."""
    if estimate is None or recorded is None:
        return "–"
    verdict = estimate.verdict
    if estimate.value is None:
        return verdict
    words = f"<b>{verdict}</b>" if verdict in ("agrees", "disagrees") else verdict
    low, high = estimate.value.interval
    if part.paper is not None and verdict != "pending" and not low <= part.paper <= high:
        words += f"<br>{BELOW if high < part.paper else ABOVE}"
    if idle := [tasks for row in part.rows if (tasks := list_not_learnt(recorded.learning, row))]:
        words += f"<br>no learning shown: {html_text(list_words(idle))}"
    return two_lines(f"{signed(estimate.value.value, 1)} {interval(*estimate.value.interval, 1)}", words)


def _csv_row(part: ClaimPart, name: str, estimate: ClaimEstimate) -> list[object]:
    value = estimate.value
    numbers = [value.value, *value.interval] if value else ["", "", ""]
    return [
        part.claim,
        part.words,
        ARMS[name],
        "" if part.paper is None else f"{part.paper:+.1f}",
        *numbers,
        estimate.verdict,
    ]


def _explain(recorded: Mapping[str, RecordedGrid]) -> str:
    """How the claims were judged, and which grids are missing."""
    missing = [f"the grid of [{ARMS[name]}]({name}.md)" for name in ARMS if name not in recorded]
    absent = f" Not recorded yet: {' and '.join(missing)}." if missing else ""
    waiting = ""
    if any(entry.interim for entry in recorded.values()):
        waiting = (
            " A verdict is *pending* while runs of its grid are missing: looks at each new one would not do. Pending "
            "differences are not among those that are corrected."
        )
    return (
        "Differences from no intermediate training, in points, paired by seed and encoder, with 95 % intervals. A gain "
        "*agrees* if it is clearly positive after Holm's correction over all differences on this page, and "
        "*disagrees* if it is clearly negative. The page of a grid corrects over more differences, so that one may be "
        "clear here and not there; it also shows which targets a mean rests on, such as retrieval. A claim of no "
        f"benefit agrees if the interval ends below {NEGLIGIBLE:g} point. Otherwise the data cannot tell. "
        "Where the whole interval lies below the paper's number, a gain as large as the paper's is excluded for these "
        "encoders and sizes, whatever the verdict on its sign. *No learning shown* names intermediate tasks whose dev "
        "scores after their short phase are no better than chance (the page of the grid has them): there the claim was "
        "not put to the test that the paper means. Targets that share their data with a task do not "
        f"count.{''.join(_describe(name, entry) for name, entry in recorded.items())}{absent}{waiting}"
    )


def _explain_influence(recorded: Mapping[str, RecordedGrid]) -> list[str]:
    """What the means over the nine tasks are without the task that moves them most, as MyST."""
    lines = []
    for part in PARTS:
        for name, entry in recorded.items():
            if part.targets and not entry.interim and (found := without_most_influential(entry.grid, *part.targets)):
                task, value = found
                lines.append(
                    f"- {markdown_text(part.words)} ({ARMS[name]}): without {markdown_text(short_title(task))}, "
                    f"{signed(value.value, 1)} {markdown_text(interval(*value.interval, 1))}"
                )
    if not lines:
        return []
    intro = "How much hangs on one task: the same means without the task that moves each of them most, not corrected."
    return [intro, "\n".join(lines)]


def _describe(name: str, entry: RecordedGrid) -> str:
    """Over what the means of a grid are taken."""
    own = [target for target in entry.grid.targets if "xtreme" in get_task(target).languages]
    encoders = len({record.encoder_name for record in entry.grid.records})
    return (
        f" The grid of the {ARMS[name]} has {encoders} encoder{'s' * (encoders != 1)} and these targets of XTREME: "
        f"{list_words([_with_languages(entry.grid, target) for target in own])}. Means over targets are over them "
        "alone, also in a row that names others, and in all languages that were scored, with English, as in XTREME."
    )


def _with_languages(grid: Grid, target: str) -> str:
    """A target, with the number of its languages where fewer were scored than XTREME has."""
    scored, published = len(grid.column(target)[0].records[0].scores), len(get_task(target).languages["xtreme"])
    return short_title(target) + (f" ({scored} of {published} languages)" if scored < published else "")
