"""Q1, the ratio of intermediate to target steps: its arms, its figure, and its mechanism."""

from stilts_core.report.escape import code_span
from stilts_core.report.figures.questions.ratio import RatioPoint, draw_ratio
from stilts_core.report.pages.questions.centring import centring_section
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import group_words
from stilts_core.report.pages.questions.parts import ChapterParts, Published, to_interval
from stilts_core.report.pages.questions.ratio_baseline import explain_baseline
from stilts_core.report.pages.questions.ratio_criteria import explain_criteria
from stilts_core.report.pages.questions.ratio_steps import (
    cell_steps,
    explain_cells,
    explain_rates,
    explain_steps,
    fit_primary,
)
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title

CONTROL = "direct"


def draw(chapter: Chapter, title: str) -> str:
    """The effect at every combination of steps of the primary contrast, against their ratio."""
    model = fit_primary(chapter)
    cells = [
        RatioPoint(cell.log2_ratio, cell_steps(chapter, cell.levels)[1], to_interval(cell.effect))
        for cell in model.cells
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


def explain_languages(chapter: Chapter) -> list[str]:
    """How the slope depends on a language's distance and size."""
    model = fit_primary(chapter)
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


def explain_retrieval(chapter: Chapter) -> list[str]:
    """Raw and centred retrieval after each intermediate task, over all numbers of steps."""
    arms = [name for name, arm in chapter.protocol.arms.items() if name != CONTROL and not (arm.targets or arm.sums)]
    return centring_section(chapter, arms, CONTROL, " It is a mean over all numbers of steps and both rates.")


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
    mechanism=(explain_steps, explain_baseline, explain_rates, explain_languages, explain_retrieval, explain_cells),
    real=(explain_steps, explain_baseline, explain_cells),
    criteria=explain_criteria,
    beside=("slope at the higher learning rate",),
    second=("Whether the ratio alone decides", "the ratio alone: no slope on size at a fixed ratio"),
    published={
        "joint against sequential training": Published(
            "Weller et al. {cite}`weller2022when` report that joint training beats the sequence where the target is "
            "the smaller task, as in all combinations of this arm",
            1,
        ),
    },
)
