"""How large an effect is: what the test could find, and what a slope comes to from end to end of its design."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.contrasts import explain_untested
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.pages.questions.wording import SLOPES, explain_power
from stilts_core.report.tables.numbers import NO_BREAK, interval, signed
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import Finding
from stilts_core.studies.protocol import Contrast
from stilts_core.studies.regression import ratio_and_size

FEW_REPLICATES = 8  # whose differences a sentence lists
SAME_SCORE = ("treatment", "control", "target", "group", "metric", "endpoint")


def explain_size(chapter: Chapter, contrast: Contrast, finding: Finding) -> list[str]:
    """What the test could find and how large the effect is, as paragraphs of MyST; or why nothing was tested."""
    if finding.untested:
        return [f"The contrast is {markdown_text(explain_untested(finding))}."]
    power = markdown_text(explain_power(finding, contrast.direction, final=not chapter.is_interim))
    return [power, *_list_replicates(chapter, contrast, finding), *explain_range(chapter, contrast, finding)]


def _list_replicates(chapter: Chapter, contrast: Contrast, finding: Finding) -> list[str]:
    """The difference of every replicate, where they are too few for their mean to say it all, as a paragraph of MyST.

    Rules of choice and measured times have no pairs of runs, and a slope has no difference.
    """
    if contrast.test in SLOPES or chapter.protocol.latency or contrast.treatment not in chapter.protocol.arms:
        return []
    values = pair_runs(chapter.require_table(), contrast).by_unit()
    if len(values) > FEW_REPLICATES:
        return []
    differences = list_words(signed(value, 1) for value in values)
    return [markdown_text(f"By {finding.unit}, the differences are {differences} {finding.unit_of_value}.")]


def explain_range(chapter: Chapter, contrast: Contrast, finding: Finding) -> list[str]:
    """What a slope on the ratio of steps comes to over all ratios of the table, as a paragraph of MyST."""
    if contrast.test not in SLOPES or contrast.regressor != "ratio":
        return []
    ratios = ratio_and_size(pair_runs(chapter.require_table(), contrast), chapter.protocol)[0]
    lowest, highest = float(ratios.min()), float(ratios.max())
    value, low, high = ((highest - lowest) * bound for bound in (finding.value, finding.low, finding.high))
    words = (
        f"A slope is the change with one doubling of the ratio. The ratios run from {ratio_words(lowest)} to "
        f"{ratio_words(highest)}, which is {highest - lowest:.3g} doublings: from end to end the line changes the "
        "effect by "
        f"{signed(value)}{NO_BREAK}points {interval(low, high)}."
    )
    return [markdown_text(words + _compare_with_margin(chapter, contrast, max(abs(low), abs(high))))]


def ratio_words(log2_ratio: float) -> str:
    """A ratio of steps in words, from its logarithm to the base 2: `1:8`, `32:1`."""
    ratio = 2.0**log2_ratio
    return f"{ratio:.3g}:1" if ratio >= 1 else f"1:{1 / ratio:.3g}"


def _compare_with_margin(chapter: Chapter, contrast: Contrast, furthest: float) -> str:
    """How far an effect may go beside the margin within which the protocol calls an effect on the same score none."""
    for other in chapter.protocol.contrasts:
        if other.test == "equivalence" and all(getattr(other, name) == getattr(contrast, name) for name in SAME_SCORE):
            margin = f"±{other.sesoi:g}{NO_BREAK}points, the margin that this study uses for effects on the same score"
            if furthest < other.sesoi:
                return f" This interval lies within {margin}."
            return f" This interval reaches beyond {margin}: over the whole range the effect need not be negligible."
    return ""
