"""The paper's claim about retrieval on real languages: arms, figures and mechanism of two studies of it."""

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.laboratory.languages import get_language
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.figures.questions.layers import draw_layers
from stilts_core.report.pages.questions.centring import RETRIEVAL, centring_section
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import KINDS, arm_label
from stilts_core.report.pages.questions.parts import ChapterParts, to_interval
from stilts_core.report.pages.questions.wording import estimate
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.differences import FEWEST_PAIRS, pair_runs
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Contrast, replicate
from stilts_core.studies.results import FACTOR

if TYPE_CHECKING:  # pandas takes a second to import
    import pandas as pd

DOSE = "dose"
DIRECT, TEXT, LABELS, SHAM = "direct", "mlm", "mlm-then-mnli", "mlm-then-sham"
PREFIXES = {"score": "layer:", "centred": "centred:layer:"}  # of the metrics from every hidden state


def draw(chapter: Chapter, title: str) -> str:
    """Raw and language-centred retrieval from every hidden state, after each phase."""
    arms = [arm for arm in (DIRECT, TEXT, SHAM, LABELS) if arm in chapter.protocol.arms]
    panels = {KINDS[kind]: {arm_label(arm): _curve(chapter, arm, kind) for arm in arms} for kind in PREFIXES}
    return draw_layers(panels, title, f"{short_title(RETRIEVAL)}, accuracy, 0–100", _scored_state(chapter))


def caption(chapter: Chapter) -> str:
    """How to read the figure."""
    return (
        f"Mean accuracy on {short_title(RETRIEVAL)} over all languages but English, from every hidden state "
        f"(0: embeddings), with 95 % intervals over {chapter.protocol.block_noun}s. The dashed line marks the state by "
        "which runs are scored: the same depth as in the paper, 14 of 24."
    )


def explain_depth(chapter: Chapter) -> list[str]:
    """What the labels do at every depth."""
    rows = [
        [f"{state}", *(estimate(_effect(chapter, LABELS, SHAM, f"{kind}{state}")) for kind in PREFIXES.values())]
        for state in range(_states(chapter))
    ]
    return [
        "### At which depth?",
        f"{code_span(LABELS)} minus {code_span(SHAM)} on {short_title(RETRIEVAL)} from every hidden state, in points, "
        f"with 95 % intervals over {chapter.protocol.block_noun}s:",
        markdown_table(["hidden state", *(KINDS[kind] for kind in PREFIXES)], rows),
    ]


def explain_retrieval(chapter: Chapter) -> list[str]:
    """Raw and centred retrieval of all arms, compared with masked LM alone."""
    return centring_section(chapter, [arm for arm in chapter.protocol.arms if arm != TEXT], TEXT)


def explain_languages(chapter: Chapter) -> list[str]:
    """The scores and the effect of the labels by language."""
    pairs = pair_runs(chapter.require_table(), _contrast(LABELS, SHAM))
    arms = [DIRECT, TEXT, SHAM, LABELS]
    rows = []
    for place, code in enumerate(pairs.codes):
        effect = compare_means(pairs.by_unit(pairs.by_language[:, place]))
        means = [f"{_scores(chapter, arm, language=code).mean():.1f}" for arm in arms]
        rows.append((effect.value, [markdown_text(get_language(code).name), *means, estimate(effect)]))
    rows.sort(key=lambda row: -row[0])
    return [
        "### Which languages?",
        f"Mean scores of four arms, and what the labels change ({code_span(LABELS)} minus {code_span(SHAM)}), in "
        f"points, with 95 % intervals over {chapter.protocol.block_noun}s (not corrected); the largest change first:",
        markdown_table(["language", *map(code_span, arms), "labels"], [row for _, row in rows]),
    ]


def draw_dose(chapter: Chapter, title: str) -> str:
    """What MNLI and permuted labels change after each number of steps of masked LM."""
    rows = [
        IntervalRow(
            _dose_words(chapter, level),
            tuple(to_interval(_effect(chapter, arm, TEXT, level=level)) for arm in (LABELS, SHAM)),
        )
        for level in _doses(chapter)
    ]
    axis = f"change of {short_title(RETRIEVAL)} compared with masked LM alone, points"
    return draw_intervals(rows, title, axis, series=[arm_label(LABELS), arm_label(SHAM)])


def caption_dose(chapter: Chapter) -> str:
    """How to read the figure of the dose."""
    return (
        f"Each number of steps of masked LM is followed by MNLI or by permuted labels, and compared with "
        f"{code_span(TEXT)} of the same number of steps; 95 % intervals over {chapter.protocol.block_noun}s."
    )


def explain_dose(chapter: Chapter) -> list[str]:
    """The scores after each number of steps, and how the steps change them and the effect of the labels."""
    arms = (TEXT, SHAM, LABELS)
    rows = [
        [
            _dose_words(chapter, level),
            *(f"{_scores(chapter, arm, level=level).mean():.1f}" for arm in arms),
            estimate(_effect(chapter, LABELS, SHAM, level=level)),
        ]
        for level in _doses(chapter)
    ]
    return [
        "### Does the dose matter?",
        f"Mean raw accuracy on {short_title(RETRIEVAL)} in all languages but English, and what the labels change "
        f"({code_span(LABELS)} minus {code_span(SHAM)}), in points, with 95 % intervals over "
        f"{chapter.protocol.block_noun}s:",
        markdown_table(["masked LM", *map(code_span, arms), "labels"], rows),
        _compare_doses(chapter),
    ]


def _compare_doses(chapter: Chapter) -> str:
    """What changes from the first dose to the last one, in the replicates that have both."""
    first, *_, last = _doses(chapter)
    text, sham, labels = (
        _by_replicate(chapter, arm, level=last) - _by_replicate(chapter, arm, level=first)
        for arm in (TEXT, SHAM, LABELS)
    )
    changes = [change.dropna().to_numpy() for change in (text, labels - sham)]
    if min(map(len, changes)) < FEWEST_PAIRS:
        return "Too few replicates have the runs of both doses to compare the doses."
    buried, gained = (estimate(compare_means(change)) for change in changes)
    return (
        f"The hypothesis expects two changes below zero from {_dose_words(chapter, first)} to "
        f"{_dose_words(chapter, last)}. Measured are {buried} points for the accuracy after masked LM alone, and "
        f"{gained} for the effect of the labels. Neither comparison was registered: both are exploratory, and not "
        "corrected."
    )


def _contrast(treatment: str, control: str, metric: str = "score", level: str = "") -> Contrast:
    """A comparison on the retrieval target, at one dose if there are several."""
    return Contrast(
        name=treatment, treatment=treatment, control=control, target=RETRIEVAL, metric=metric,
        levels={DOSE: (level,)} if level else {}, test="difference", sesoi=1.0, sd=1.0,
    )  # fmt: skip


def _effect(chapter: Chapter, treatment: str, control: str, metric: str = "score", level: str = "") -> Effect:
    """The difference of two arms in all languages but English."""
    return compare_means(pair_runs(chapter.require_table(), _contrast(treatment, control, metric, level)).by_unit())


def _scores(chapter: Chapter, arm: str, metric: str = "score", language: str = "", level: str = "") -> np.ndarray:
    """The scores of an arm in one language, or their means over all but English, (replicates,)."""
    return _by_replicate(chapter, arm, metric, language, level).to_numpy()


def _by_replicate(
    chapter: Chapter, arm: str, metric: str = "score", language: str = "", level: str = ""
) -> "pd.Series[float]":
    """`_scores` by the name of the replicate, which is ascending."""
    frame = chapter.require_table().frame
    chosen = (frame["arm"] == arm) & (frame["target"] == RETRIEVAL) & (frame["metric"] == metric)
    chosen &= (frame["language"] == language) if language else (frame["language"] != "en")
    if level:
        chosen &= frame[FACTOR + DOSE] == level
    found = frame[chosen & (frame["excluded"] == "")]
    if found.empty:
        raise StudyError(f"arm {arm!r} has no retrieval with metric {metric!r}; run more of the study")
    return found.groupby(replicate(found["encoder"]))["score"].mean()


def _states(chapter: Chapter) -> int:
    """How many hidden states retrieval was scored from."""
    metrics = set(chapter.require_table().frame["metric"])
    return next(state for state in count() if f"{PREFIXES['score']}{state}" not in metrics)


def _curve(chapter: Chapter, arm: str, kind: str) -> list[PlottedInterval]:
    """The mean score of an arm from every hidden state."""
    metrics = [f"{PREFIXES[kind]}{state}" for state in range(_states(chapter))]
    return [to_interval(compare_means(_scores(chapter, arm, metric))) for metric in metrics]


def _scored_state(chapter: Chapter) -> int:
    """The hidden state by which runs are scored: the one whose scores are the runs' own."""
    own = _scores(chapter, TEXT)
    return min(
        range(_states(chapter)),
        key=lambda state: float(np.abs(_scores(chapter, TEXT, f"{PREFIXES['score']}{state}") - own).max()),
    )


def _doses(chapter: Chapter) -> list[str]:
    return list(chapter.protocol.factors[DOSE])


def _dose_words(chapter: Chapter, level: str) -> str:
    return f"{chapter.protocol.factors[DOSE][level]['text_steps']:,} steps"


PARTS = ChapterParts(
    short="Retrieval",
    purposes={
        DIRECT: "the encoder as it was published, trained to align translations",
        "mnli": "examines what the task does to an alignment that is there",
        "sham": "the steps without the task",
        TEXT: "the encoder whose alignment is buried: a model of one that was trained by masked LM alone",
        LABELS: "the hypothesis: the task brings a part of the alignment back",
        SHAM: "the steps without the task",
        "mlm-then-squad": "examines whether another task does it, too",
    },
    controls={
        (SHAM, TEXT): Control("Any further training does it, with whatever labels.", "that of MNLI after masked LM"),
        ("mnli", "sham"): Control("The labels harm the alignment, and not the steps alone.", "below zero"),
        (TEXT, DIRECT): Control("Masked LM buried nothing, so that there was nothing to bring back.", "zero"),
    },
    draw=draw,
    caption=caption,
    mechanism=(explain_depth, explain_retrieval, explain_languages),
)

DOSE_PARTS = ChapterParts(
    short="Dose of masked LM",
    purposes={
        TEXT: "masked LM alone",
        LABELS: "the task after masked LM",
        SHAM: "the steps without the task",
    },
    controls={(LABELS, SHAM): Control("Any further training does it, with whatever labels.", "zero")},
    draw=draw_dose,
    caption=caption_dose,
    mechanism=(explain_dose,),
)
