"""The section "All contrasts" of a chapter: every finding in a table, its CSV file, and mean scores by arm."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from stilts_core.errors import StudyError
from stilts_core.report.escape import code_span, html_text, markdown_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.arm_costs import describe_costs
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import levels_words, place_words
from stilts_core.report.pages.questions.wording import EQUIVALENCE, p_words, status, verdict
from stilts_core.report.tables.html import CellValue, markdown_table, table
from stilts_core.report.tables.numbers import NO_BREAK, interval, signed
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import Finding, evaluate
from stilts_core.studies.groups import in_group
from stilts_core.studies.protocol import Contrast
from stilts_core.studies.results import FACTOR

if TYPE_CHECKING:  # pandas takes a second to import
    import pandas as pd

HEADINGS = ("contrast", "value", "p", "SESOI", "verdict")
TESTS = {
    "difference": "difference",
    "equivalence": "equivalence",
    "slope": "slope",
    "flat-slope": "equivalence of a slope to zero",
}
CSV_COLUMNS = [f.name for f in fields(Finding) if f.name not in ("verdict", "reasons", "notes", "untested")]
OF_TESTS = ("p", "p_adjusted", "power", "detectable")  # what a finding has only if something was tested
CSV_EXTRA = ["treatment", "control", "metric", "status", "verdict", "notes"]


def build_contrasts(chapter: Chapter, writer: PageWriter) -> str:
    """The section, as MyST: the confirmatory family, then the exploratory contrasts, and the levels behind them."""
    if not chapter.findings:
        return "\n\n".join([*_estimates(chapter), *_levels(chapter), *describe_costs(chapter)]) + "\n"
    family, others = (
        [(contrast, finding) for contrast, finding in chapter.pairs if (contrast.status == "confirmatory") == wanted]
        for wanted in (True, False)
    )
    parts = [
        "The confirmatory family, with p values after Holm's correction; the primary contrast is the first. The name "
        "of a contrast says what was expected, and not what was found. Values are "
        "treatment minus control, paired within each replicate. Intervals are over replicates (n), of coverage .95, or "
        ".90 where equivalence is tested, because two one-sided tests at level .05 use such an interval. *SESOI* is "
        "the smallest effect (or margin) of interest; below it is the smallest that is detected with power .9 and the "
        "observed spread, in the family at the level that Holm's first step asks for.",
        _table(chapter, family),
        "The exploratory contrasts, with p values after Benjamini and Hochberg's correction"
        f"{' (a contrast that is not testable does not count there)' * any(f.untested for _, f in others)}:",
        _table(chapter, others),
        _download(chapter, writer),
        *list_notes(chapter),
        *_levels(chapter),
        *describe_costs(chapter),
    ]
    return "\n\n".join(parts) + "\n"


def _table(chapter: Chapter, pairs: Sequence[tuple[Contrast, Finding]]) -> str:
    rows: list[list[CellValue]] = [
        [
            contrast_cell(contrast, html_text(contrast.name), TESTS[contrast.test]),
            value_cell(finding),
            two_lines(
                "–" if finding.untested else html_text(p_words(finding.p_adjusted)),
                f"n{NO_BREAK}={NO_BREAK}{finding.n}",
            ),
            two_lines(
                f"{'±' * (contrast.test in EQUIVALENCE)}{finding.sesoi:g}",
                "" if finding.untested else f"detects{NO_BREAK}{finding.detectable:.2f}",
            ),
            two_lines(html_text(verdict_words(chapter, finding)), status(chapter, finding)),
        ]
        for contrast, finding in pairs
    ]
    return f"{table(HEADINGS, rows).data}\n"


def verdict_words(chapter: Chapter, finding: Finding) -> str:
    """The verdict in a table, or why there is none although all blocks are done."""
    return verdict(chapter, finding) if chapter.is_interim or not finding.untested else explain_untested(finding)


def explain_untested(finding: Finding) -> str:
    """Why a contrast tests nothing, in words."""
    return f"not testable: {finding.untested}"


def contrast_cell(contrast: Contrast, words: str, *more: str) -> str:
    """A cell with words, which are HTML, and in small print below them what is compared with what, and where."""
    treatment, control = html_text(contrast.treatment), html_text(contrast.control)
    metric = f" ({html_text(contrast.control_metric)})" * bool(contrast.control_metric)
    levels = [html_text(levels_words(contrast))] if contrast.levels else []
    compared = f"<code>{treatment}</code> − <code>{control}</code>{metric}"
    facts = [compared, html_text(place_words(contrast)), *levels, *more]
    return f'<div style="min-width: 13em">{two_lines(words, " · ".join(facts))}</div>'


def value_cell(finding: Finding) -> str:
    """A cell with a value in its unit, and its interval in small print below."""
    bounds = interval(finding.low, finding.high)
    return two_lines(signed(finding.value), f"{bounds}<br>{html_text(finding.unit_of_value)}")


def two_lines(first: str, second: str) -> str:
    """A cell with small print in its second line; both are HTML."""
    return f"{first}<br><small>{second}</small>"


def _download(chapter: Chapter, writer: PageWriter) -> str:
    """The link to the CSV file of all findings."""
    rows = []
    for contrast, finding in chapter.pairs:
        own = ["" if finding.untested and name in OF_TESTS else getattr(finding, name) for name in CSV_COLUMNS]
        extra = [contrast.treatment, contrast.control, contrast.metric, status(chapter, finding)]
        rows.append([*own, *extra, verdict_words(chapter, finding), " ".join(finding.notes)])
    path = writer.write_csv(f"questions/{chapter.name}", [*CSV_COLUMNS, *CSV_EXTRA], rows)
    return f"All findings: {{download}}`CSV <../{path}>`"


def list_notes(chapter: Chapter) -> list[str]:
    """The notes of the findings, each once with its contrasts, and the contrasts without a finding."""
    noted: dict[str, list[str]] = {}
    for finding in chapter.findings:
        for note in finding.notes:
            noted.setdefault(note, []).append(finding.name)
    if chapter.untested:
        noted["Too few pairs are left after the protocol's exclusions, so there is no result."] = [
            contrast.name for contrast in chapter.untested
        ]
    every = [contrast.name for contrast in chapter.protocol.contrasts]
    lines = [
        f"- {'All contrasts' if names == every else markdown_text('; '.join(names))}: {markdown_text(note)}"
        for note, names in noted.items()
    ]
    return ["\n".join(lines)] if lines else []


def _estimates(chapter: Chapter) -> list[str]:
    """Estimates without a test, where the results do not suffice for the findings of the whole protocol."""
    if chapter.table is None:
        return ["The table of all contrasts appears here when the study has been run."]
    if chapter.protocol.latency:
        return ["No contrast is shown before the measurement can be trusted."]
    rows: list[list[CellValue]] = []
    for contrast in chapter.protocol.contrasts:
        if contrast.treatment not in chapter.protocol.arms:
            continue
        try:
            effect = evaluate(pair_runs(chapter.table, contrast), chapter.protocol)
        except StudyError:
            continue
        bounds = interval(effect.low, effect.high)
        value = two_lines(signed(effect.value), bounds)
        rows.append([contrast_cell(contrast, html_text(contrast.name), TESTS[contrast.test]), value, effect.n])
    if not rows:
        return [
            f"No contrast can be estimated yet: an interval needs results of several {chapter.protocol.block_noun}s."
        ]
    return [
        "The results do not suffice for the whole family of tests, so that no p value can be corrected and no verdict "
        "given. These contrasts can be estimated:",
        f"{table(['contrast', 'value', 'n'], rows).data}\n",
    ]


def _levels(chapter: Chapter) -> list[str]:
    """Mean scores of every arm, from which the differences come."""
    if chapter.table is None or chapter.protocol.latency:
        return []
    frame, unit = chapter.table.frame, chapter.protocol.block_noun
    frame = frame[(frame["metric"] == "score") & (frame["excluded"] == "")]
    others = [code for code in frame["language"].unique() if in_group(code, "non-english")]
    factors = [FACTOR + name for name in chapter.protocol.factors]
    shared = [_share_levels(frame[frame["target"] == target], factors, unit) for target in chapter.protocol.targets]
    rows = []
    for name in chapter.protocol.arms:
        cells = [_level(of_target[of_target["arm"] == name], others, unit, most) for of_target, most in shared]
        if any(cells):
            rows.append([code_span(name), *(cell or "–" for cell in cells)])
    over = " and over the levels of the factors that all arms on a target share" * bool(chapter.protocol.factors)
    return [
        f"Mean scores of the arms over {unit}s{over}: the mean of all languages but English, in "
        f"parentheses its standard deviation between {unit}s, and after the semicolon English. "
        "They show where an arm stands. Differences are paired, so a difference of two rows is an estimate only where "
        "both have the same runs: *n* says where exclusions left fewer.",
        markdown_table(["arm", *map(short_title, chapter.protocol.targets)], rows),
    ]


def _share_levels(frame: "pd.DataFrame", factors: Sequence[str], unit: str) -> tuple["pd.DataFrame", int]:
    """The rows of a target at the levels of all factors that every arm has, and the largest number of units."""
    if factors and not frame.empty:
        levels = frame[list(factors)].apply(tuple, axis=1)
        common = set.intersection(*(set(own) for _, own in levels.groupby(frame["arm"])))
        frame = frame[levels.isin(common)] if common else frame
    return frame, int(frame.groupby("arm")[unit].nunique().max()) if len(frame) else 0


def _level(frame: "pd.DataFrame", others: Sequence[str], unit: str, most: int) -> str:
    """The mean score of an arm on a target, its spread between units, and the English score; "" without runs.

    Where there are fewer than `most` units, it says how many.
    """
    if frame.empty:
        return ""
    by_unit = frame[frame["language"].isin(others)].groupby(unit)["score"].mean()
    english = frame.loc[frame["language"] == "en", "score"]
    spread = f" ({by_unit.std(ddof=1):.1f})" if len(by_unit) > 1 else ""
    fewer = f"; n{NO_BREAK}={NO_BREAK}{len(by_unit)}" if len(by_unit) < most else ""
    return f"{by_unit.mean():.1f}{spread}" + (f"; {english.mean():.1f}" if len(english) else "") + fewer
