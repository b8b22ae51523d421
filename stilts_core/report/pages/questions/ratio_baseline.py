"""Q1: whether the baseline is trained too long, so that long target phases compare with a damaged model."""

from stilts_core.report.escape import code_span
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import group_words
from stilts_core.report.pages.questions.wording import estimate
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.baseline import StepCurve, trace_steps

ENGLISH = "english"


def explain_baseline(chapter: Chapter) -> list[str]:
    """The scores of the baseline by its numbers of target steps, and whether it is over-trained at the largest."""
    table, protocol, primary = chapter.require_table(), chapter.protocol, chapter.protocol.primary
    curves = [trace_steps(table, protocol, primary, primary.control, group) for group in (primary.group, ENGLISH)]
    best, groups = curves[0].best, [group_words(group) for group in (primary.group, ENGLISH)]
    rows = []
    for place, steps in enumerate(curves[0].steps):
        row = [f"{steps:,}"]
        for curve in curves:
            change = "–" if place == best else estimate(curve.compare(place, best))
            row += [f"{curve.scores[:, place].mean():.1f}", change]
        rows.append(row)
    minus = f"minus {curves[0].steps[best]:,} steps"
    return [
        "### Is the baseline trained too long?",
        f"{code_span(primary.control)} has target steps only. Its mean scores on {short_title(primary.target)}, and "
        f"their differences from the number of steps that is best in {groups[0]}, paired, in points, with 95 % "
        f"intervals over {curves[0].unit}s (exploratory, not corrected):",
        markdown_table(["target steps", groups[0], minus, groups[1], minus], rows),
        *_judge(chapter, curves[0], curves[1], best),
    ]


def _judge(chapter: Chapter, curve: StepCurve, english: StepCurve, best: int) -> list[str]:
    """Whether the largest number of target steps damages the baseline, and what follows from it."""
    primary, last = chapter.protocol.primary, len(curve.steps) - 1
    name, group, most = code_span(primary.control), group_words(primary.group), f"{curve.steps[last]:,}"
    if best == last:
        return [
            f"{name} is best in {group} with the most target steps, {most}: it is not over-trained, and may gain from "
            "more."
        ]
    change = curve.compare(last, best)
    found = (
        f"With {most} target steps instead of {curve.steps[best]:,}, the score of {name} changes by {estimate(change)} "
        f"points in {group}, and by {estimate(english.compare(last, best))} in English."
    )
    if change.high >= 0:
        return [f"{found} So over-training is not shown in {group}."]
    return [
        f"**The baseline is over-trained.** {found} So an effect near zero at {most} target steps compares with a "
        "damaged baseline, and does not show that the intermediate task is harmless. The slope on the target steps "
        f"contains the damage, too{_weak_control(chapter)}."
    ]


def _weak_control(chapter: Chapter) -> str:
    """That the arms with more target steps are weak controls, where the protocol has one."""
    protocol, primary = chapter.protocol, chapter.protocol.primary
    arms = [name for name, arm in protocol.arms.items() if "target_steps" in arm.sums]
    if not arms:
        return ""
    curve = trace_steps(chapter.require_table(), protocol, primary, arms[0], primary.group)
    return f"; and {code_span(arms[0])}, which has up to {curve.steps[-1]:,} target steps, is a weak control"
