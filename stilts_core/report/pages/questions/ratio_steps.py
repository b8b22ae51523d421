"""Q1: whether the ratio of the steps decides, or its two numbers, or the learning rate."""

import numpy as np

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.effect_size import ratio_words
from stilts_core.report.pages.questions.names import group_words
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.numbers import interval
from stilts_core.studies.design import merge_fields
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import Finding
from stilts_core.studies.inference import compare_means, describe_p
from stilts_core.studies.ratio import RatioModel, fit_ratio
from stilts_core.studies.regression import ratio_and_size, slopes_by_unit

RATE = "rate"  # the factor that sets the learning rate of the intermediate phase


def fit_primary(chapter: Chapter) -> RatioModel:
    """The models of the primary contrast."""
    return fit_ratio(chapter.require_table(), chapter.protocol, chapter.protocol.primary)


def cell_steps(chapter: Chapter, names: tuple[str, ...]) -> tuple[int, int]:
    """The intermediate and the target steps of the primary treatment at some levels."""
    protocol = chapter.protocol
    arm = protocol.primary.treatment
    levels = dict(zip(chapter.require_table().factors, names, strict=True))
    fields = merge_fields(protocol, arm, protocol.arms[arm], levels, protocol.primary.target)
    return int(fields["intermediate_steps"]), int(fields["target_steps"])


def explain_steps(chapter: Chapter) -> list[str]:
    """The models of the ratio and of the two numbers of steps, and what they say about the ratio alone."""
    model, unit = fit_primary(chapter), chapter.protocol.block_noun
    rows = [
        ["ratio of intermediate to target steps", estimate(model.ratio), p_words(model.ratio.p)],
        ["intermediate steps, target steps fixed", estimate(model.intermediate), p_words(model.intermediate.p)],
        ["target steps, intermediate steps fixed", estimate(model.target), p_words(model.target.p)],
        ["both numbers, ratio fixed", estimate(model.size), p_words(model.size.p)],
    ]
    fit, (degrees, rest) = model.fit, model.fit.degrees
    return [
        "### The ratio, or its two numbers?",
        judge_ratio_alone(chapter, model),
        "If the effect depends on the ratio alone, the slopes on intermediate and on target steps are equal and "
        "opposite, and doubling both numbers changes nothing. Slopes of the primary contrast in points a doubling, "
        f"fitted within each {unit}, with 95 % intervals over {unit}s; p values are exploratory and not corrected:",
        markdown_table(["for each doubling of", "slope", "p"], rows),
        *_compare_sizes(chapter, model),
        *_by_target(chapter, model),
        f"A straight line in the logarithm of the ratio, against a free mean for each of the {len(model.cells)} "
        f"combinations: F({degrees}, {rest}) = {fit.f:.2f}, {describe_p(fit.p)}. A small p value says that the "
        "line is too simple.",
    ]


def find_flat_slope(chapter: Chapter) -> Finding | None:
    """The finding of the contrast that tests whether the size at a fixed ratio has no slope."""
    found = [finding for contrast, finding in chapter.pairs if contrast.regressor == "size"]
    return found[0] if found else None


def judge_ratio_alone(chapter: Chapter, model: RatioModel) -> str:
    """What the data say about the second part of the hypothesis, as MyST."""
    parts = "The hypothesis has two parts: the effect falls with the ratio, and it depends on the ratio alone."
    if chapter.is_interim:
        return f"{parts} The second part is judged when all {chapter.protocol.block_noun}s are done."
    size, flat = model.size, find_flat_slope(chapter)
    if size.low > 0 or size.high < 0:
        return (
            f"{parts} **These results speak against the second part**, whatever the verdict on the first: at a fixed "
            f"ratio, each doubling of both numbers changes the effect by {estimate(size)} points "
            f"({describe_p(size.p)}, exploratory). So a slope on the ratio is a mean over combinations of "
            "steps, and holds for no other ones."
        )
    if flat and flat.verdict == "supported":
        return (
            f"{parts} **These results support the second part**: at a fixed ratio, each doubling of both numbers "
            f"changes the effect by less than {flat.sesoi:g} points (equivalence, "
            f"{describe_p(flat.p_adjusted)} after correction)."
        )
    return (
        f"{parts} **Whether the second part holds is open**: at a fixed ratio, each doubling of both numbers changes "
        f"the effect by {estimate(size)} points. This interval contains zero{_beside_margin(flat)}."
    )


def _beside_margin(flat: Finding | None) -> str:
    """Why an interval with zero does not show that the slope is negligible."""
    if flat is None:
        return ""
    bounds = f"the {100 * flat.coverage:.0f} % interval, {interval(flat.low, flat.high)},"
    if max(-flat.low, flat.high) < flat.sesoi:
        return f", and {bounds} lies within the margin of ±{flat.sesoi:g} only before the correction"
    return f", and {bounds} does not lie within the margin of ±{flat.sesoi:g}"


def _compare_sizes(chapter: Chapter, model: RatioModel) -> list[str]:
    """The effect at one ratio, with small and with large numbers of steps."""
    if not model.at_one_ratio:
        return []
    effects = {cell.levels: cell.effect for cell in model.cells}
    rows = [
        [
            ratio_words(found.log2_ratio),
            *(f"{_steps_words(chapter, names)}: {estimate(effects[names])}" for names in (found.small, found.large)),
            estimate(found.change),
            p_words(found.change.p),
        ]
        for found in model.at_one_ratio
    ]
    return [
        "The effect at the same ratio, with the smallest and with the largest numbers of steps (intermediate : target) "
        "that have it, in points. If the ratio alone decided, no difference would differ from zero:",
        markdown_table(["ratio", "smallest numbers", "largest numbers", "difference", "p"], rows),
    ]


def _by_target(chapter: Chapter, model: RatioModel) -> list[str]:
    """The effect at every number of target steps."""
    if len(model.by_target) < 2:
        return []
    rows = [[f"{of.target_steps:,}", of.cells, estimate(of.effect), p_words(of.effect.p)] for of in model.by_target]
    group = group_words(chapter.protocol.primary.group)
    return [
        f"The effect in {group} by the number of target steps, as a mean over the numbers of intermediate steps that "
        "were combined with it:",
        markdown_table(["target steps", "combinations", "effect, points", "p"], rows),
    ]


def slopes_by_rate(chapter: Chapter) -> dict[str, np.ndarray]:
    """The slopes of the primary contrast on the ratio, (replicates,), by the learning rate; the first rate first."""
    table, protocol, primary = chapter.require_table(), chapter.protocol, chapter.protocol.primary
    slopes = {}
    for level in protocol.factors[RATE]:
        pairs = pair_runs(table, primary.model_copy(update={"levels": primary.levels | {RATE: (level,)}}))
        slopes[level] = slopes_by_unit(pairs, ratio_and_size(pairs, protocol)[0][:, None])[:, 0]
    return slopes


def explain_rates(chapter: Chapter) -> list[str]:
    """Whether the slope on the ratio depends on the learning rate of the intermediate phase."""
    slopes = slopes_by_rate(chapter)
    first, *others = slopes
    rows = [[markdown_text(level), estimate(compare_means(values)), "–"] for level, values in slopes.items()]
    for level in others:
        change = compare_means(slopes[level] - slopes[first])
        rows.append([markdown_text(f"{level} minus {first}"), estimate(change), p_words(change.p)])
    return [
        "### Does it depend on the learning rate?",
        "One learning rate is one point of a curve. The slope of the primary contrast at each rate of the intermediate "
        "phase, and the difference of both within encoders, in points a doubling (exploratory, not corrected):",
        markdown_table(["rate", "slope", "p of the difference"], rows),
    ]


def explain_cells(chapter: Chapter) -> list[str]:
    """The effect at every combination of steps."""
    model = fit_primary(chapter)
    rows = [
        [
            *(f"{steps:,}" for steps in cell_steps(chapter, cell.levels)),
            f"{2.0**cell.log2_ratio:.4g}",
            estimate(cell.effect),
            p_words(cell.p_adjusted),
            markdown_text(", ".join(cell.levels)),
        ]
        for cell in model.cells
    ]
    columns = ["intermediate steps", "target steps", "ratio", "effect, points", "p, Benjamini–Hochberg", "levels"]
    return ["### The effect at every combination of steps", markdown_table(columns, rows)]


def _steps_words(chapter: Chapter, names: tuple[str, ...]) -> str:
    """Both numbers of steps at some levels: `64 : 32`."""
    return " : ".join(f"{steps:,}" for steps in cell_steps(chapter, names))
