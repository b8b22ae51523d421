"""Q4, the latency of inference: its arms, its figure, and what can be trusted in the measurement."""

from stilts_core.errors import StudyError
from stilts_core.report.escape import code_span
from stilts_core.report.figures.questions.intervals import IntervalRow, draw_intervals
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.latency_batches import answer_batches, explain_batches, qualify_gate
from stilts_core.report.pages.questions.names import arm_label, list_words
from stilts_core.report.pages.questions.parts import ChapterParts, to_interval
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.studies.inference import Effect, compare_equivalence
from stilts_core.studies.latency import PRIMARY, check_gate, log_differences, summarise, to_percent
from stilts_core.studies.protocol import LatencyPlan


def draw(chapter: Chapter, title: str) -> str:
    """The processor time of every arm against the control, with the margin of equivalence."""
    protocol, plan = chapter.protocol, _plan(chapter)
    gate = check_gate(chapter.require_table(), protocol)
    rows = [
        IntervalRow(arm_label(arm), (to_interval(_difference(chapter, arm)),))
        for arm in protocol.arms
        if arm != protocol.primary.control
    ]
    rows += [
        IntervalRow(
            f"{arm_label(protocol.primary.control)}, {arm_label(plan.again)} (A/A)", (to_interval(gate.again),)
        ),
        IntervalRow(f"{arm_label(plan.positive_control)} (control)", (to_interval(gate.positive),)),
    ]
    axis = f"processor time compared with {arm_label(protocol.primary.control)}, %"
    return draw_intervals(rows, title, axis, band=plan.margin, band_name=f"equivalence margin, ±{plan.margin:g} %")


def caption(chapter: Chapter) -> str:
    """How to read the figure."""
    return (
        "Mean difference over blocks and conditions, with the 90 % interval that a test of equivalence at level .05 "
        "uses (95 % for one layer more). Differences are means of logarithms of ratios of times, transformed back to "
        "percent. The two last rows are the gate: the control measured twice must be equivalent "
        "to itself, and one layer more must be detected."
    )


def explain_gate(chapter: Chapter) -> list[str]:
    """Whether the measurement can be trusted."""
    gate, plan = check_gate(chapter.require_table(), chapter.protocol), _plan(chapter)
    rows = [
        [
            "A/A: the control against itself",
            f"equivalent within ±{gate.margin:g} %",
            f"{estimate(gate.again)} %",
            p_words(gate.again.p),
            f"{gate.again.sd:.2f}",
        ],
        [
            "positive control: one layer more",
            "slower",
            f"{estimate(gate.positive)} %",
            p_words(gate.positive.p),
            f"{gate.positive.sd:.2f}",
        ],
    ]
    verdict = (
        f"The gate is passed. {qualify_gate(chapter)}".strip()
        if gate.passed
        else "**The gate is not passed: no finding of this study counts.**"
    )
    return [
        "### Can the measurement be trusted?",
        f"{verdict} {plan.blocks} randomised complete blocks in each condition: every block has every arm once, in a "
        f"random order, each in a fresh process of at least {plan.seconds:g} s on {plan.threads} pinned "
        f"thread{'s' * (plan.threads != 1)}, with the same inputs. SD is that of the difference within a block, as 100 "
        "times the logarithm of the ratio of times, which is nearly percent.",
        markdown_table(["check", "must be", "difference", "p", "SD"], rows),
    ]


def explain_times(chapter: Chapter) -> list[str]:
    """Quantiles and rates of every arm."""
    plan, gate = _plan(chapter), check_gate(chapter.require_table(), chapter.protocol)
    rows = [
        [
            f"{row.batch} × {row.length}",
            code_span(row.arm),
            f"{row.p50_ms:.2f} / {row.p90_ms:.2f} / {row.p99_ms:.2f}",
            f"{row.inputs_per_second:,.0f}",
            f"{row.subwords_per_second:,.0f}",
        ]
        for row in summarise(chapter.require_table())
    ]
    columns = ["batch × sub-words", "arm", "p50 / p90 / p99, ms", "inputs / s", "sub-words / s"]
    return [
        "### Latency and throughput",
        "Means over blocks; quantiles are those of the wall time of one forward pass. *one-layer-more* is the positive "
        "control, *again* the control measured twice. Rows with another batch or another number of sub-words show what "
        f"the input changes. Inputs of {list_words(map(str, plan.lengths))} sub-words were measured."
        f"{'' if gate.passed else ' The gate is not passed, so the other rows do not compare arms.'}",
        markdown_table(columns, rows),
    ]


def _difference(chapter: Chapter, arm: str) -> Effect:
    """The difference of an arm to the control in percent, with the 90 % interval."""
    contrast = chapter.protocol.primary.model_copy(update={"treatment": arm, "metric": PRIMARY, "levels": {}})
    differences = log_differences(chapter.require_table(), contrast)
    return to_percent(compare_equivalence(differences, 0 * differences, _plan(chapter).margin))


def _plan(chapter: Chapter) -> LatencyPlan:
    plan = chapter.protocol.latency
    if plan is None:
        raise StudyError(f"protocol {chapter.name} has no table [latency]; add it")
    return plan


PARTS = ChapterParts(
    short="Latency",
    purposes={
        "direct": "the baseline: fine-tuning on COPA alone",
        "logic": "the hypothesis: logical reasoning first",
        "socialiqa": "another intermediate task, XTREME-R's own for XCOPA",
        "logic-sham": "other weights from the same steps: examines whether any change of weights changes time",
    },
    controls={
        ("logic-sham", "direct"): Control(
            "Any other weights change time: the same steps with permuted labels.", "that of the primary contrast"
        )
    },
    draw=draw,
    caption=caption,
    mechanism=(explain_gate, explain_batches, explain_times),
    real=(explain_gate, explain_batches, explain_times),
    qualify=answer_batches,
)
