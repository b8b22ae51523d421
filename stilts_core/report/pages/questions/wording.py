"""Findings in words. A sentence claims what the verdict of its test says, and no more.

All words are plain text, which is not escaped.
"""

from typing import NamedTuple

from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.multiplicity import LEVEL
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import (
    KINDS,
    arm_label,
    arm_words,
    in_laboratory,
    levels_words,
    list_words,
    measure_words,
    short_measure,
)
from stilts_core.report.tables.html import count
from stilts_core.report.tables.numbers import NO_BREAK, interval, signed
from stilts_core.studies.findings import Finding
from stilts_core.studies.groups import ENGLISH
from stilts_core.studies.inference import Effect
from stilts_core.studies.power import Direction
from stilts_core.studies.protocol import Contrast, Protocol

EQUIVALENCE = ("equivalence", "flat-slope")
SLOPES = ("slope", "flat-slope")
SMALLEST_P = 0.001
PENDING = "pending"
FEW_LANGUAGES = 3  # that a sentence names instead of their group


def estimate(effect: Finding | Effect) -> str:
    """A value with its interval."""
    return f"{signed(effect.value)} {interval(effect.low, effect.high)}"


def p_words(p: float) -> str:
    """A p value for a table."""
    return f"<{NO_BREAK}{SMALLEST_P:g}" if p < SMALLEST_P else f"{p:.3f}"


def status(chapter: Chapter, finding: Finding) -> str:
    """Whether a finding is confirmatory, interim (of the family, with encoders missing) or exploratory."""
    if finding.confirmatory:
        return "confirmatory, stopped early" if chapter.stopped_early else "confirmatory"
    return "interim" if chapter.is_interim else "exploratory"


def status_words(chapter: Chapter, finding: Finding) -> str:
    """The status of a finding as MyST that follows its sentence."""
    return f"*{status(chapter, finding).capitalize()}.*"


def explain_status(chapter: Chapter, finding: Finding) -> str:
    """The status of the primary finding in a sentence, with the reasons against a confirmatory one."""
    if finding.confirmatory:
        amendment = chapter.registration.amendment if chapter.registration else None
        early = ""
        if chapter.stopped_early and amendment:
            early = (
                f" The study stopped early, at {amendment.blocks} of "
                f"{count(len(chapter.protocol.blocks), chapter.protocol.block_noun)}; the results of {amendment.seen} "
                "were known when that was decided (see the registration above)."
            )
        return (
            "This result is confirmatory: its contrast, test and smallest effect of interest were registered first."
            f"{early}"
        )
    if chapter.is_interim:
        rest = [reason for reason in finding.reasons if not reason.endswith(" missing")]
        sentence = (
            f"This result is interim: {progress(chapter)}, and the verdict waits for the others. Intervals and p "
            "values are not corrected for looking early."
        )
        return f"{sentence} It will be exploratory, because {'; '.join(rest)}." if rest else sentence
    return f"This result is exploratory, because {'; '.join(finding.reasons)}."


def progress(chapter: Chapter) -> str:
    """How many of the protocol's blocks the table has."""
    return f"{_blocks_done(chapter)} {'is' if len(chapter.blocks) == 1 else 'are'} done"


def _blocks_done(chapter: Chapter) -> str:
    return f"{len(chapter.blocks)} of {count(len(chapter.required), chapter.protocol.block_noun)}"


def verdict(chapter: Chapter, finding: Finding) -> str:
    """The verdict that a table shows: none before all blocks are done."""
    return PENDING if chapter.is_interim else finding.verdict


def answer(chapter: Chapter, contrast: Contrast, finding: Finding) -> str:
    """The finding in one sentence, with its number, its interval, and where it holds."""
    words = _long_words(chapter, contrast)
    claim = _claim(chapter, words, contrast, finding)
    where = "" if chapter.is_interim else f"{place(chapter.protocol)}, "
    found = f"{_with_interval(finding, _unit(finding))} ({_interval_words(chapter, finding)})"
    return f"{_capital(where + claim)}{_before_number(chapter)}{found}."


def repeat_answer(chapter: Chapter, finding: Finding) -> str:
    """The finding in a sentence that follows one about the same contrast elsewhere, with its verdict."""
    found = f"{quantity(finding)} ({_interval_words(chapter, finding)}): {verdict(chapter, finding)}"
    return f"{_capital(place(chapter.protocol))}, the same contrast is {found}."


def _interval_words(chapter: Chapter, finding: Finding) -> str:
    """The coverage of the interval, over how many replicates, and where the test of the verdict says more than it."""
    words = f"{100 * finding.coverage:.0f} % interval over {count(finding.n, finding.unit)}"
    if _open_by_correction(finding):
        words += f"; inside the margin, but p = {p_words(finding.p_adjusted)} after correction"
    if _supported_narrowly(finding) and not chapter.is_interim:
        words += f"; narrowly, by a one-sided test with p = {p_words(finding.p_adjusted)}"
    return words


def headline(chapter: Chapter, contrast: Contrast, finding: Finding) -> str:
    """The title of the main figure: the finding with its number; arms have the names that the figure shows."""
    claim = _claim(chapter, _short_words(contrast), contrast, finding)
    narrowly = " (narrowly)" if _supported_narrowly(finding) and not chapter.is_interim else ""
    return f"{_capital(claim)}{_before_number(chapter)}{signed(finding.value)}{NO_BREAK}{_unit(finding)}{narrowly}"


def place(protocol: Protocol) -> str:
    """Where the results of a study hold: its tasks and languages are generated, or they are real."""
    return "in the laboratory" if in_laboratory(protocol) else "on real languages"


def _before_number(chapter: Chapter) -> str:
    """What stands between a claim and its number."""
    return " by " if chapter.is_interim else ": "


def quantity(finding: Finding) -> str:
    """A value with its unit and its interval, for a place that does not say what a slope is a change with."""
    return _with_interval(finding, finding.unit_of_value)


def _with_interval(finding: Finding, unit: str) -> str:
    return f"{signed(finding.value)}{NO_BREAK}{unit} {interval(finding.low, finding.high)}"


class _Words(NamedTuple):
    """The parts of a claim: what is done, what is measured, and with what it is compared."""

    subject: str
    measured: str
    against: str


def _claim(chapter: Chapter, words: _Words, contrast: Contrast, finding: Finding) -> str:
    """What the verdict allows to say, without the number."""
    subject, measured, against = words
    if chapter.is_interim:
        where = f"{place(chapter.protocol)}, {_blocks_done(chapter)}"
        return f"interim estimate ({where}): {subject} changes {measured}{against}"
    limit = _amount(finding.sesoi, _unit(finding))
    verb = "raises" if finding.value > 0 else "lowers"
    if contrast.control_metric:
        return _claim_between_measures(words, contrast, finding, limit)
    if contrast.test in EQUIVALENCE:
        return {
            "supported": f"{subject} leaves {measured} unchanged within ±{limit}{against}",
            "not supported": f"{subject} {verb} {measured} by more than {limit}{against}",
            "cannot tell": f"whether {subject} leaves {measured} unchanged within ±{limit}{against} is open",
        }[finding.verdict]
    tested = {"greater": "raise", "less": "lower", "two-sided": "change"}[contrast.direction]
    if finding.verdict == "not supported" and _is_opposite(contrast, finding):
        return f"{subject} does not {tested} {measured}{against}, but {verb} it"
    return {
        "supported": f"{subject} {verb} {measured}{against}",
        "not supported": f"{subject} does not {tested} {measured} by {limit} or more{against}",
        "cannot tell": f"whether {subject} {tested}s {measured}{against} is open",
    }[finding.verdict]


def _is_opposite(contrast: Contrast, finding: Finding) -> bool:
    """Whether the whole interval lies on the other side of zero than the hypothesis."""
    return finding.high < 0 if contrast.direction == "greater" else finding.low > 0 and contrast.direction == "less"


def _claim_between_measures(words: _Words, contrast: Contrast, finding: Finding, limit: str) -> str:
    """What the verdict allows to say of a difference between two measures, which is not the treatment's own effect."""
    subject, measured, against = words
    found = "higher" if finding.value > 0 else "lower"
    if contrast.test in EQUIVALENCE:
        equal = f"as high within ±{limit} as{against.removeprefix(' than')}"
        return {
            "supported": f"{measured} after {subject} is {equal}",
            "not supported": f"{measured} after {subject} is {found} by more than {limit}{against}",
            "cannot tell": f"whether {measured} after {subject} is {equal} is open",
        }[finding.verdict]
    higher = {"greater": "higher", "less": "lower", "two-sided": "higher or lower"}[contrast.direction]
    return {
        "supported": f"{measured} after {subject} is {found}{against}",
        "not supported": f"{measured} after {subject} is not {higher} by {limit} or more{against}",
        "cannot tell": f"whether {measured} after {subject} is {higher}{against} is open",
    }[finding.verdict]


def _long_words(chapter: Chapter, contrast: Contrast) -> _Words:
    """The parts of a claim in words that need no table."""
    protocol = chapter.protocol
    treatment, control = (arm_words(protocol, name) for name in (contrast.treatment, contrast.control))
    against = f" compared with {control}"
    if contrast.control_metric:
        against = f" than {KINDS[contrast.control_metric]} retrieval after {control}"
    measured = measure_words(contrast, _few_languages(chapter, contrast))
    measured += f" ({levels_words(contrast)})" if contrast.levels else ""
    if contrast.test not in SLOPES:
        return _Words(treatment, measured, against)
    return _Words(_doubling(contrast), f"the effect of {treatment} ({against.strip()}) on {measured}", "")


def _few_languages(chapter: Chapter, contrast: Contrast) -> str:
    """The languages of a contrast with their test items, where there are so few that a sentence can name them."""
    if chapter.table is None or contrast.group != "non-english" or in_laboratory(chapter.protocol):
        return ""
    frame = chapter.table.frame
    scored = frame[(frame["target"] == contrast.target) & (frame["metric"] == "score") & (frame["language"] != ENGLISH)]
    items = dict(zip(scored["language"], scored["n"], strict=True))
    if not 0 < len(items) <= FEW_LANGUAGES:
        return ""
    each = f", {min(items.values())} items each" if len({*items.values()}) == 1 else ""
    return f"{list_words(get_language(code).name for code in sorted(items))} (the only languages with data{each})"


def _short_words(contrast: Contrast) -> _Words:
    """The parts of a claim with the names of arms, as a figure shows them."""
    measured = short_measure(contrast)
    if contrast.test not in SLOPES:
        return _Words(f"“{arm_label(contrast.treatment)}”", measured, "")
    return _Words(_doubling(contrast), f"the effect of “{arm_label(contrast.treatment)}” on {measured}", "")


def _doubling(contrast: Contrast) -> str:
    if contrast.regressor == "size":
        return "each doubling of both numbers of steps, at a fixed ratio,"
    return "each doubling of the ratio of intermediate to target steps"


def explain_power(finding: Finding, direction: Direction = "two-sided", *, final: bool = True) -> str:
    """What the test could find: the smallest effect of interest, the power for it, and the detectable effect.

    A `final` result is compared with the smallest effect of interest; `direction` is that of the test.
    """
    unit, spread = finding.unit_of_value, f"the observed spread between {finding.unit}s (SD {finding.sd:.2f})"
    if finding.test in EQUIVALENCE:
        return (
            f"The equivalence margin is ±{_amount(finding.sesoi, unit)}. With {spread}, "
            f"{count(finding.n, finding.unit)} show equivalence within it with power {finding.power:.2f} if there is "
            f"no effect; the smallest margin with power .9 is ±{finding.detectable:.2f}. "
            f"{_compare_with_margin(finding) if final else ''}"
        ).strip()
    compared = _compare_with_interest(finding, direction) if final else ""
    return (
        f"The smallest effect of interest is {_amount(finding.sesoi, unit)}. With {spread}, "
        f"{count(finding.n, finding.unit)} detect it with power {finding.power:.2f}; the smallest effect that is "
        f"detected with power .9 is {finding.detectable:.2f}. {compared}"
    ).strip()


def _compare_with_margin(finding: Finding) -> str:
    """Why an interval inside the margin does not suffice, where only the correction says so."""
    if not _open_by_correction(finding):
        return ""
    return (
        f"The interval lies inside the margin, but {finding.correction}'s correction for several contrasts leaves the "
        f"answer open (p before it {p_words(finding.p)}, after it {p_words(finding.p_adjusted)})."
    )


def _open_by_correction(finding: Finding) -> bool:
    """Whether the interval of a test of equivalence lies inside the margin, and only the correction leaves it open."""
    inside = max(-finding.low, finding.high) < finding.sesoi
    return finding.test in EQUIVALENCE and finding.verdict == "cannot tell" and inside


def _supported_narrowly(finding: Finding) -> bool:
    """Whether a one-sided test supports a difference whose two-sided interval includes zero."""
    return finding.test not in EQUIVALENCE and finding.verdict == "supported" and finding.low < 0 < finding.high


def _compare_with_interest(finding: Finding, direction: Direction) -> str:
    """How the interval of a difference lies to the smallest effect of interest."""
    near, far = sorted((abs(finding.low), abs(finding.high)))
    effect = "change with each doubling" if finding.test in SLOPES else "effect"
    if direction != "two-sided" and _supported_narrowly(finding):
        return (
            f"The one-sided test supports the hypothesis narrowly (p = {p_words(finding.p_adjusted)}): the interval, "
            "which is two-sided, includes zero."
        )
    if finding.low < 0 < finding.high:
        return ""
    if direction != "two-sided" and (finding.value > 0) != (direction == "greater"):
        return "The whole interval lies on the other side of zero than the hypothesis."
    if near >= finding.sesoi:
        return "The whole interval, which is not corrected, lies beyond the smallest effect of interest."
    if far < finding.sesoi:
        between = "The whole interval lies between zero and the smallest effect of interest"
        if finding.p_adjusted < LEVEL:
            return f"{between}: a clear {effect}, and a negligible one."
        p = p_words(finding.p_adjusted)
        return f"{between}: the {effect} is negligible. After correction it is not distinguished from zero (p = {p})."
    return "The smallest effect of interest lies inside the interval."


def decision_rule(contrast: Contrast) -> str:
    """When the test of a contrast supports its hypothesis, rejects it, and leaves it open."""
    unit = "points a doubling" if contrast.test in SLOPES else "%" if "seconds" in contrast.metric else "points"
    limit, level = _amount(contrast.sesoi, unit), f"{contrast.alpha:g}"
    if contrast.test in EQUIVALENCE:
        return (
            f"The hypothesis is supported if two one-sided tests show that the value lies within ±{limit} (corrected p "
            f"below {level}). It is rejected if the whole interval lies beyond that margin. Otherwise it stays open."
        )
    direction = {"greater": "positive", "less": "negative", "two-sided": "different from zero"}[contrast.direction]
    largest = {"greater": f"of +{limit} or more", "less": f"of −{limit} or less", "two-sided": f"of ±{limit} or beyond"}
    sides = "two-sided" if contrast.direction == "two-sided" else "one-sided"
    return (
        f"The hypothesis is supported if the value is {direction} ({sides} test, corrected p below {level}). It is "
        f"rejected if the two-sided {100 * (1 - contrast.alpha):g} % interval excludes every value "
        f"{largest[contrast.direction]}. Otherwise it stays open."
    )


def _unit(finding: Finding) -> str:
    """The unit in a sentence whose subject already says that a slope is that of a doubling."""
    return finding.unit_of_value.removesuffix(" a doubling")


def _amount(value: float, unit: str) -> str:
    """A size with its unit in the right form, between which no line breaks."""
    return f"{value:g}{NO_BREAK}{unit.replace('points', 'point') if value == 1 else unit}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
