"""Q1, the ratio of intermediate to target steps: its arms, its figure, and its mechanism."""

from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.figures.questions.ratio import RatioPoint, draw_ratio
from stilts_core.report.pages.questions.centring import centring_section
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import group_words
from stilts_core.report.pages.questions.parts import ChapterParts, Published, to_interval
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.design import merge_fields
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.inference import compare_means
from stilts_core.studies.ratio import RatioModel, fit_ratio
from stilts_core.studies.regression import ratio_and_size, slopes_by_unit

CONTROL = "direct"
RATE = "rate"  # the factor that sets the learning rate of the intermediate phase


def draw(chapter: Chapter, title: str) -> str:
    """The effect at every combination of steps of the primary contrast, against their ratio."""
    model = _model(chapter)
    cells = [
        RatioPoint(cell.log2_ratio, _steps(chapter, cell.levels)[1], to_interval(cell.effect)) for cell in model.cells
    ]
    axis = f"change of {short_title(model.contrast.target)}, points"
    return draw_ratio(cells, model.ratio.value, title, axis)


def caption(chapter: Chapter) -> str:
    """How to read the figure."""
    primary = chapter.protocol.primary
    return (
        f"Each point is one combination of steps: {code_span(primary.treatment)} minus {code_span(primary.control)} in "
        f"{group_words(primary.group)}, with its 95 % interval over encoders. Points of the same ratio stand side by "
        "side: if the ratio alone decided, they would agree. The line has the mean of the slopes of the encoders."
    )


def explain_steps(chapter: Chapter) -> list[str]:
    """The models of the ratio and of the two numbers of steps."""
    model = _model(chapter)
    rows = [
        ["ratio of intermediate to target steps", estimate(model.ratio), p_words(model.ratio.p)],
        ["intermediate steps, target steps fixed", estimate(model.intermediate), p_words(model.intermediate.p)],
        ["target steps, intermediate steps fixed", estimate(model.target), p_words(model.target.p)],
        ["both numbers, ratio fixed", estimate(model.size), p_words(model.size.p)],
    ]
    fit, (degrees, rest) = model.fit, model.fit.degrees
    return [
        "### The ratio, or its two numbers?",
        "If the effect depends on the ratio alone, the slopes on intermediate and on target steps are equal and "
        "opposite, and doubling both numbers changes nothing. Slopes of the primary contrast in points a doubling, "
        "fitted within each encoder, with 95 % intervals over encoders; p values are exploratory and not corrected:",
        markdown_table(["for each doubling of", "slope", "p"], rows),
        f"A straight line in the logarithm of the ratio, against a free mean for each of the {len(model.cells)} "
        f"combinations: F({degrees}, {rest}) = {fit.f:.2f}, p {_equals(p_words(fit.p))}. A small p value says that the "
        "line is too simple.",
    ]


def explain_rates(chapter: Chapter) -> list[str]:
    """Whether the slope on the ratio depends on the learning rate of the intermediate phase."""
    table, protocol, primary = chapter.require_table(), chapter.protocol, chapter.protocol.primary
    first, *others = protocol.factors[RATE]
    slopes = {}
    for level in (first, *others):
        pairs = pair_runs(table, primary.model_copy(update={"levels": primary.levels | {RATE: (level,)}}))
        slopes[level] = slopes_by_unit(pairs, ratio_and_size(pairs, protocol)[0][:, None])[:, 0]
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


def explain_languages(chapter: Chapter) -> list[str]:
    """How the slope depends on a language's distance and size."""
    model = _model(chapter)
    rows = [
        ["distance to English, from 0 to 1", estimate(model.by_distance), p_words(model.by_distance.p)],
        ["ten times as much pretraining text", estimate(model.by_size), p_words(model.by_size.p)],
    ]
    return [
        "### Which languages does the ratio matter for?",
        "One slope on the ratio is fitted for each language but English, and these slopes are regressed on the "
        "language's distance and on the size of its pretraining text (log10 of 1 + texts). In the laboratory the two "
        "do not correlate. Changes of the slope, in points a doubling:",
        markdown_table(["for", "change of the slope", "p"], rows),
    ]


def explain_cells(chapter: Chapter) -> list[str]:
    """The effect at every combination of steps."""
    model = _model(chapter)
    rows = [
        [
            *(f"{steps:,}" for steps in _steps(chapter, cell.levels)),
            f"{2.0**cell.log2_ratio:.4g}",
            estimate(cell.effect),
            p_words(cell.p_adjusted),
            markdown_text(", ".join(cell.levels)),
        ]
        for cell in model.cells
    ]
    columns = ["intermediate steps", "target steps", "ratio", "effect, points", "p, Benjamini–Hochberg", "levels"]
    return ["### The effect at every combination of steps", markdown_table(columns, rows)]


def explain_retrieval(chapter: Chapter) -> list[str]:
    """Raw and centred retrieval after each intermediate task, over all numbers of steps."""
    arms = [name for name, arm in chapter.protocol.arms.items() if name != CONTROL and not (arm.targets or arm.sums)]
    return centring_section(chapter, arms, CONTROL, " It is a mean over all numbers of steps and both rates.")


def _model(chapter: Chapter) -> RatioModel:
    return fit_ratio(chapter.require_table(), chapter.protocol, chapter.protocol.primary)


def _steps(chapter: Chapter, names: tuple[str, ...]) -> tuple[int, int]:
    """The intermediate and the target steps of the primary treatment at some levels."""
    protocol = chapter.protocol
    arm = protocol.primary.treatment
    levels = dict(zip(chapter.require_table().factors, names, strict=True))
    fields = merge_fields(protocol, arm, protocol.arms[arm], levels, protocol.primary.target)
    return int(fields["intermediate_steps"]), int(fields["target_steps"])


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


PARTS = ChapterParts(
    short="Ratio of steps",
    purposes={
        "direct": "the baseline: the same target phase without an intermediate one",
        "more-target": "examines whether any further training helps as much",
        "sham": "examines whether the steps and the text do it, without the task: its labels say nothing",
        "mnli": "the task of the hypothesis",
        "squad": "another task: spans",
        "hellaswag": "another task: choices",
        "ccg": "another task: tags, the nearest to part-of-speech tagging",
        "joint": "examines the order: both tasks at once, at the same ratio",
    },
    controls={
        ("mnli", "more-target"): Control(
            "Any further training would do: compared with as many steps in all on the target.", "zero"
        ),
        ("sham", "direct"): Control(
            "The steps and the text do it, without the task: labels are permuted.", "that of the primary contrast"
        ),
        ("joint", "mnli"): Control("The order does it, not the ratio: both tasks at once.", "not zero"),
    },
    draw=draw,
    caption=caption,
    mechanism=(explain_steps, explain_rates, explain_languages, explain_retrieval, explain_cells),
    real=(explain_cells,),
    beside=("slope at the higher learning rate",),
    published={
        "joint against sequential training": Published(
            "Weller et al. {cite}`weller2022when` report that joint training beats the sequence where the target is "
            "the smaller task, as in all combinations of this arm",
            1,
        ),
    },
)
