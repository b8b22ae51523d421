"""The section "On real languages" of a chapter: the contrasts of its real arm beside those of the laboratory."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from stilts_core.errors import StudyError
from stilts_core.report.escape import html_text, markdown_text
from stilts_core.report.pages.questions.absence import explain_absence
from stilts_core.report.pages.questions.chapter import Chapter, open_chapter
from stilts_core.report.pages.questions.contrasts import (
    contrast_cell,
    list_notes,
    two_lines,
    value_cell,
    verdict_words,
)
from stilts_core.report.pages.questions.effect_size import explain_range
from stilts_core.report.pages.questions.protocol import (
    describe_design,
    describe_exclusions,
    describe_groups,
    describe_registration,
)
from stilts_core.report.pages.questions.wording import EQUIVALENCE, PENDING, status
from stilts_core.report.tables.html import CellValue, count, table
from stilts_core.report.tables.numbers import NO_BREAK
from stilts_core.studies.conduct import has_study
from stilts_core.studies.findings import Finding

Section = Callable[[Chapter], list[str]]
REAL = "-real"  # ends the name of a study that asks a chapter's question on real languages
HEADINGS = ("contrast", "laboratory", "real languages", "do they agree?")


def open_real_arms(names: Iterable[str], book_dir: Path, protocols: Path | None = None) -> dict[str, Chapter]:
    """The real arms of chapters, by the name of the chapter; a question that has none is left out.

    Raises ConfigError for a wrong protocol.
    """
    asked = [name for name in names if has_study(name + REAL, protocols)]
    return {name: open_chapter(name + REAL, book_dir, protocols) for name in asked}


def build_real_arm(chapter: Chapter, arm: Chapter | None, sections: Sequence[Section] = ()) -> str:
    """The section, as MyST: what was run on real data, and every contrast that it has beside the laboratory's.

    `sections` are parts of the chapter's mechanism that the real arm has, too; one without enough results is left out.
    """
    if arm is None:
        return "This question has not been asked on real languages yet: the answer of the laboratory stands alone.\n"
    rules = [describe_exclusions(arm)] if arm.protocol.exclusions else []
    parts = [describe_design(arm), describe_registration(arm), *describe_groups(arm), *rules]
    if arm.findings:
        parts += [_compare(chapter, arm), *list_notes(arm), _explain(arm)]
        parts += explain_range(arm, arm.protocol.primary, arm.findings[0])
        for build in sections:
            with suppress(StudyError):
                heading, *content = build(arm)
                parts += [f"**{heading.lstrip('# ')}**", *content]
    else:
        parts.append(explain_absence(arm))
    parts.append(f"```bash\nstilts study {arm.name} --keep\n```")
    return "\n\n".join(parts) + "\n"


def agreement(laboratory: Finding, real: Finding) -> str:
    """Whether two findings of one contrast agree: both have the same verdict, and an effect has the same sign.

    Two verdicts can differ by chance, or because two margins do; it is no disagreement if the intervals overlap, or if
    one of the verdicts is open.
    """
    if "cannot tell" in (laboratory.verdict, real.verdict):
        return "cannot tell"
    if laboratory.verdict != real.verdict:
        overlap = laboratory.low <= real.high and real.low <= laboratory.high
        return "cannot tell" if overlap else "no"
    has_sign = (real.verdict == "supported") != (real.test in EQUIVALENCE)
    return "yes" if not has_sign or (laboratory.value > 0) == (real.value > 0) else "no"


def agreement_words(chapter: Chapter, arm: Chapter, laboratory: Finding, real: Finding) -> str:
    """Whether two findings of one contrast agree; pending while blocks of either arm are missing."""
    return PENDING if chapter.is_interim or arm.is_interim else agreement(laboratory, real)


def _compare(chapter: Chapter, arm: Chapter) -> str:
    known = {contrast.name: finding for contrast, finding in chapter.pairs}
    rows: list[list[CellValue]] = []
    for contrast, finding in arm.pairs:
        partner = known.get(contrast.name)
        rows.append(
            [
                contrast_cell(contrast, html_text(contrast.name)),
                _finding_cell(chapter, partner) if partner else "–",
                _finding_cell(arm, finding),
                agreement_words(chapter, arm, partner, finding) if partner else "asked here only",
            ]
        )
    return f"{table(HEADINGS, rows).data}\n"


def _finding_cell(chapter: Chapter, finding: Finding) -> str:
    """A value with its interval, its replicates, its verdict and its status."""
    facts = f"n{NO_BREAK}={NO_BREAK}{count(finding.n, finding.unit)}<br>{html_text(verdict_words(chapter, finding))}"
    return two_lines(value_cell(finding), f"{facts}, {status(chapter, finding)}")


def _explain(arm: Chapter) -> str:
    """How to read the table, and what power this arm has for its primary contrast."""
    finding = arm.findings[0]
    return (
        "Values are treatment minus control, paired, with intervals as above; *n* counts replicates. Intervals of the "
        f"real arm are over {count(finding.n, finding.unit)}{_reach(finding)}. Sizes cannot be compared, because "
        "tasks, languages and encoders differ. The arms agree (*yes*) if both have the same verdict, and an effect the "
        "same sign. They do not (*no*) if one hypothesis is supported, the other is rejected and the intervals do not "
        "overlap, or if two effects have different signs. Otherwise the data cannot tell. " + _power(finding)
    )


def _power(finding: Finding) -> str:
    """What the primary contrast of this arm can show."""
    unit = f"{finding.unit_of_value} in *{markdown_text(finding.name)}*"
    if finding.test in EQUIVALENCE:
        return (
            f"Without an effect the real arm shows equivalence within ±{finding.detectable:.2f} {unit} with power .9, "
            f"and within ±{finding.sesoi:g} with power {finding.power:.2f}."
        )
    return (
        f"The real arm detects {finding.detectable:.2f} {unit} with power .9, and {finding.sesoi:g} with power "
        f"{finding.power:.2f}."
    )


def _reach(finding: Finding) -> str:
    if finding.unit != "seed":
        return ""
    return " of one encoder: they say what other examples and orders would give, and nothing about other encoders"
