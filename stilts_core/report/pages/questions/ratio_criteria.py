"""Q1: what came of the criteria in "What would change our mind", in the order of the page's list."""

from stilts_core.errors import StudyError
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.ratio_steps import find_flat_slope, slopes_by_rate
from stilts_core.report.pages.questions.wording import estimate
from stilts_core.report.tables.html import markdown_table
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import Finding, evaluate
from stilts_core.studies.inference import Effect, compare_means, describe_p

MET, NOT_MET, OPEN = "**met**", "not met", "open"


def explain_criteria(chapter: Chapter, arm: Chapter | None) -> list[str]:
    """A table of the criteria with what came, as MyST; `arm` is the one on real languages."""
    if chapter.is_interim or not chapter.findings:
        return [f"What came is shown here when all {chapter.protocol.block_noun}s are done."]
    primary = chapter.findings[0]
    rows = [
        ["a slope of the other sign", *_judge_sign(primary)],
        ["another slope at another learning rate", *_judge_rates(chapter, primary.sesoi)],
        ["a slope on the size at a fixed ratio", *_judge_size(chapter, arm)],
        ["permuted labels as steep as the task", *_judge_control(chapter, "sham_labels")],
        ["a slope against *more target* equivalent to zero", *_judge_control(chapter, "sums")],
    ]
    parts = [
        "**What came.** The criteria in the same order, in the laboratory. Slopes are in points a doubling, with 95 % "
        "intervals unless the table says otherwise, and are not corrected:",
        markdown_table(["criterion", "what came", "is it met?"], rows),
    ]
    if max(-primary.low, primary.high) < primary.sesoi:
        parts.append(
            f"The slope of the primary contrast itself, {estimate(primary)}, lies within ±{primary.sesoi:g}. So where "
            "a criterion is met within this margin, that says no more than the small slope does."
        )
    return parts


def _judge_sign(primary: Finding) -> tuple[str, str]:
    """Whether the slope has the other sign than the hypothesis says."""
    return f"the slope is {estimate(primary)}", MET if primary.low > 0 else NOT_MET if primary.high < 0 else OPEN


def _judge_rates(chapter: Chapter, margin: float) -> tuple[str, str]:
    """Whether the slope differs between the learning rates of the intermediate phase."""
    slopes = slopes_by_rate(chapter)
    first, *others = slopes
    changes = {level: compare_means(slopes[level] - slopes[first]) for level in others}
    words = [
        f"at {markdown_text(level)} it differs from that at {markdown_text(first)} by {estimate(change)} "
        f"({describe_p(change.p)})"
        for level, change in changes.items()
    ]
    if any(_excludes_zero(change) for change in changes.values()):
        return "; ".join(words), f"{MET}: the ratio counts together with the rate"
    small = all(max(-change.low, change.high) < margin for change in changes.values())
    return "; ".join(words), f"{NOT_MET}: within ±{margin:g}" if small else OPEN


def _judge_size(chapter: Chapter, arm: Chapter | None) -> tuple[str, str]:
    """Whether the effect has a slope on the size at a fixed ratio, beyond its margin."""
    found = {"in the laboratory": find_flat_slope(chapter)}
    if arm and arm.findings and not arm.is_interim:
        found["on real languages"] = find_flat_slope(arm)
    status = {"supported": NOT_MET, "not supported": MET, "cannot tell": OPEN}
    known = {where: finding for where, finding in found.items() if finding}
    words = [
        f"{where} it is {estimate(finding)} ({100 * finding.coverage:.0f} % interval"
        f"{', which excludes zero' * _excludes_zero(finding)}; the margin is ±{finding.sesoi:g})"
        for where, finding in known.items()
    ]
    return "; ".join(words) or "–", "; ".join(f"{where} {status[of.verdict]}" for where, of in known.items()) or "–"


def _judge_control(chapter: Chapter, kind: str) -> tuple[str, str]:
    """Whether a control explains the slope: that of the task beyond the control lies within the margin around zero.

    `kind` is "sham_labels" for permuted labels, "sums" for more steps on the target.
    """
    protocol, primary = chapter.protocol, chapter.protocol.primary
    arms = [name for name, arm in protocol.arms.items() if (arm.sums if kind == "sums" else arm.fields.get(kind))]
    try:
        beyond = primary.model_copy(update={"control": arms[0], "direction": "two-sided"})
        effect = evaluate(pair_runs(chapter.require_table(), beyond), protocol)
    except (IndexError, StudyError):
        return "no result", OPEN
    words = f"the slope of {code_span(primary.treatment)} beyond {code_span(arms[0])} is {estimate(effect)}"
    zero = "" if _excludes_zero(effect) else ", which is not distinguished from zero"
    if max(-effect.low, effect.high) < primary.sesoi:
        return words + zero, f"{MET}: within ±{primary.sesoi:g}"
    return words + zero, NOT_MET if _excludes_zero(effect) else OPEN


def _excludes_zero(effect: Effect | Finding) -> bool:
    return effect.low > 0 or effect.high < 0
