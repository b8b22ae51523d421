"""Q2, intermediate tasks or continued pretraining: its arms, its figure, and its mechanism."""

from collections.abc import Mapping
from contextlib import suppress

from stilts_core.errors import StudyError
from stilts_core.laboratory.language.design import CODES
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import arm_label, group_words, list_words, phase_words
from stilts_core.report.pages.questions.parts import AS_ASKED, ChapterParts, Published, to_interval
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.continued import LABELS, NEITHER, TEXT, cross_labels_and_text, forgetting, mediate
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.groups import in_group
from stilts_core.studies.inference import Effect, compare_means, describe_p
from stilts_core.studies.protocol import Contrast

UNSEEN = "unseen"
OTHERS = "all others but English"
DOMAIN = "text-target"  # the arm that reads the target's own inputs
SEPARATED = "*Not separated* means that the 95 % interval of the difference contains zero."
DOMAIN_READINGS = {
    "higher": "by this interval, the domain alone does not explain the effect",
    "lower": "inputs of the target bring more than other text of these languages",
    "not separated": "the domain may explain the whole effect; so may the language, which these inputs have too",
}


def draw(chapter: Chapter, title: str) -> str:
    """What every arm changes on the primary target, in the languages of the primary contrast and in all others."""
    primary = chapter.protocol.primary
    groups = [primary.group, _others(primary.group)]
    arms = _arms(chapter, primary.target)
    rows = [
        IntervalRow(arm_label(arm), tuple(_effect(chapter, arm, primary.target, group) for group in groups))
        for arm in arms
    ]
    names = [group_words(primary.group), OTHERS]
    axis = f"change of {short_title(primary.target)} compared with direct fine-tuning, points"
    return draw_intervals(
        rows, title, axis, series=names, band=primary.sesoi, band_name="below the smallest effect of interest"
    )


def caption(chapter: Chapter) -> str:
    """How to read the figure, and what the primary treatment costs in the other languages, on any target."""
    prices = []
    for target in chapter.protocol.targets:
        with suppress(StudyError):  # one target without enough results leaves the other
            prices += _price(chapter, target)
    return " ".join(
        [
            f"Each row is an arm of the table above, compared with {code_span(NEITHER)}, with 95 % intervals over "
            "encoders (not corrected: only the primary contrast was tested for this figure's title).",
            *prices,
        ]
    )


def explain_factors(chapter: Chapter) -> list[str]:
    """The 2 × 2 of labels and of text."""
    table, protocol, rows = chapter.require_table(), chapter.protocol, []
    for target in protocol.targets:
        for group in ("non-english", UNSEEN):
            crossed = cross_labels_and_text(table, protocol, target, group)
            effects = (crossed.labels, crossed.text, crossed.interaction)
            rows.append([short_title(target), group_words(group), *map(estimate, effects)])
    return [
        "### Labels, text, or both?",
        "Four arms cross two factors: with or without the labels of an intermediate task, with or without text of the "
        "languages that pretraining had. A main effect is the mean over both levels of the other factor; the "
        "interaction says whether both together bring more (or less) than their sum. In points, with 95 % intervals "
        "over encoders, not corrected:",
        markdown_table(["target", "languages", "labels", "text", "interaction"], rows),
    ]


def explain_domain(chapter: Chapter) -> list[str]:
    """Whether text of the primary treatment does more than the target's own inputs, in the same languages."""
    primary = chapter.protocol.primary
    treatment, rival = map(code_span, (primary.treatment, DOMAIN))
    readings = []
    for target in chapter.protocol.targets:
        effect = _compare(chapter, primary.treatment, target, primary.group, DOMAIN)
        reading = _reading(effect)
        readings.append(
            f"On {short_title(target)} in {group_words(primary.group)}, {treatment} is {reading} "
            f"{'from' if reading == 'not separated' else 'than'} {rival}: {DOMAIN_READINGS[reading]}."
        )
    return [
        "### Is it the language or the domain?",
        f"The arm {rival} reads inputs of the target in every language, the unseen ones too. Its row under *Controls* "
        f"is over other languages than the primary contrast; this table has {rival} and {treatment} in the same "
        f"languages: what each changes compared with {code_span(NEITHER)}, and their paired difference, in points "
        "with 95 % intervals over encoders. The comparison was not in the protocol; it is exploratory, and not "
        f"corrected. {SEPARATED}",
        _compare_with_rival(chapter, DOMAIN),
        " ".join(readings),
    ]


def explain_task(chapter: Chapter) -> list[str]:
    """Whether text of the primary treatment does more than an intermediate task, in the same languages."""
    treatment, rival = map(code_span, (chapter.protocol.primary.treatment, LABELS))
    return [
        "### Does text of unseen languages help more than an intermediate task?",
        "The question sets continued pretraining beside intermediate tasks. Here "
        f"{treatment} is compared with the labels of an intermediate task ({rival}: "
        f"{markdown_text(phase_words(chapter.protocol, LABELS))}) in the same languages: what each changes compared "
        f"with {code_span(NEITHER)}, and their paired difference, in points with 95 % intervals over "
        f"{chapter.protocol.block_noun}s. The comparison was not in the protocol; it is exploratory, and not "
        f"corrected. {SEPARATED}",
        _compare_with_rival(chapter, LABELS),
    ]


def _compare_with_rival(chapter: Chapter, rival: str) -> str:
    """The primary treatment beside a rival on every target, in the languages of the primary contrast and in all."""
    primary, rows = chapter.protocol.primary, []
    for target in chapter.protocol.targets:
        for group in (primary.group, "non-english"):
            alone = [_compare(chapter, arm, target, group) for arm in (primary.treatment, rival)]
            difference = _compare(chapter, primary.treatment, target, group, rival)
            effects = map(estimate, (*alone, difference))
            rows.append(
                [short_title(target), group_words(group), *effects, p_words(difference.p), _reading(difference)]
            )
    names = (code_span(primary.treatment), code_span(rival))
    columns = ["target", "languages", *names, "difference", "p", f"{names[0]} is"]
    return markdown_table(columns, rows)


def _reading(difference: Effect) -> str:
    """What the interval of a difference says about the first of both arms."""
    if difference.low <= 0 <= difference.high:
        return "not separated"
    return "higher" if difference.low > 0 else "lower"


def explain_mediation(chapter: Chapter) -> list[str]:
    """Whether the effect goes with the fall of the MLM loss by language."""
    table, rows, group = chapter.require_table(), [], chapter.protocol.primary.group
    for contrast in _text_contrasts(chapter):
        found = mediate(table, contrast, place=group)
        whole = _compare(chapter, contrast.treatment, contrast.target, group)
        effects = (found.change, found.elsewhere, found.slope, found.mediated, whole)
        rows.append([code_span(contrast.treatment), short_title(contrast.target), *map(estimate, effects)])
    place = group_words(group)
    columns = [f"loss, {place}", "loss, others", "slope", "goes with the loss", f"whole effect, {place}"]
    return [
        "### Does it work through the language model?",
        "If text helps because the encoder learns a language, an arm should help most where it lowers that language's "
        f"MLM loss most. *Loss* is the mean change of the loss compared with {code_span(NEITHER)}, in nats a "
        "sub-word. It was measured after the target phase, so it includes what that phase changed. *Slope* is that of "
        "the effect on the change of the loss, over all languages but English within encoders, in points a nat. *Goes "
        f"with the loss* is the slope times the change in {place}, in points, beside the whole effect there. Where one "
        "group of languages has text and the other has none, the slope is mainly the contrast of both groups, and not "
        "a relation within them. The association is not causal: nothing but the arms was randomised.",
        markdown_table(["arm", "target", *columns], rows),
    ]


def explain_forgetting(chapter: Chapter) -> list[str]:
    """What every arm changes on English."""
    table, protocol = chapter.require_table(), chapter.protocol
    effects = {target: forgetting(table, protocol, target) for target in protocol.targets}
    arms = [arm for arm in protocol.arms if any(arm in by_arm for by_arm in effects.values())]
    rows = [
        [code_span(arm), *(estimate(by_arm[arm]) if arm in by_arm else "–" for by_arm in effects.values())]
        for arm in arms
    ]
    return [
        "### What does it cost in English?",
        "The change of the English score, in points. A negative value is forgetting; in an arm that trains on nothing "
        f"but the target it is over-training, and such an arm is a weak control. Not corrected.{_worse(effects)}",
        markdown_table(["arm", *map(short_title, effects)], rows),
    ]


def _worse(effects: Mapping[str, Mapping[str, Effect]]) -> str:
    """The arms after which the English score is lower, with an interval below zero."""
    lower = dict.fromkeys(arm for by_arm in effects.values() for arm, effect in by_arm.items() if effect.high < 0)
    return f" The interval lies below zero after {list_words(map(code_span, lower))}." if lower else ""


def explain_second_target(chapter: Chapter) -> list[str]:
    """What every arm changes on the other targets, and what the primary treatment costs in the other languages."""
    primary, parts = chapter.protocol.primary, []
    for target in chapter.protocol.targets:
        if target == primary.target:
            continue
        rows, groups = [], ("non-english", primary.group, _others(primary.group))
        for arm in _arms(chapter, target):
            effects = [_compare(chapter, arm, target, group) for group in groups]
            rows.append([code_span(arm), *map(estimate, effects), p_words(effects[0].p)])
        columns = ["arm", "all but English", group_words(primary.group), OTHERS, "p, all but English (not corrected)"]
        parts += [
            f"### The same arms on {short_title(target)}",
            markdown_table(columns, rows),
            *_price(chapter, target),
        ]
    return parts


def _price(chapter: Chapter, target: str) -> list[str]:
    """What the primary treatment costs in the other languages: a sentence if the interval there lies below zero."""
    primary = chapter.protocol.primary
    groups = (_others(primary.group), primary.group, "non-english")
    cost, gain, whole = (_compare(chapter, primary.treatment, target, group) for group in groups)
    if cost.high >= 0:
        return []
    return [
        f"On {short_title(target)}, {code_span(primary.treatment)} has a price in all other languages but English: "
        f"{estimate(cost)} points ({describe_p(cost.p)}, not corrected), beside {estimate(gain)} in "
        f"{group_words(primary.group)}. Over all languages but English the change is {estimate(whole)}."
    ]


def _text_contrasts(chapter: Chapter) -> list[Contrast]:
    """The arms with text alone, over all languages but English, on every target."""
    arms = [arm for arm in (TEXT, chapter.protocol.primary.treatment) if arm in chapter.protocol.arms]
    return [
        Contrast(
            name=f"{arm}, {target}", treatment=arm, control=NEITHER, target=target, test="difference", sesoi=1.0, sd=1.0
        )
        for target in chapter.protocol.targets
        for arm in dict.fromkeys(arms)
    ]


def _arms(chapter: Chapter, target: str) -> list[str]:
    arms = chapter.protocol.arms.items()
    return [name for name, arm in arms if name != NEITHER and target in (arm.targets or (target,))]


def _others(group: str) -> str:
    """The languages outside a group, without English, as codes."""
    return ",".join(code for code in CODES if code != "en" and not in_group(code, group)) or "non-english"


def _effect(chapter: Chapter, arm: str, target: str, group: str) -> PlottedInterval:
    return to_interval(_compare(chapter, arm, target, group))


def _compare(chapter: Chapter, arm: str, target: str, group: str, control: str = NEITHER) -> Effect:
    """The mean paired difference of two arms over encoders (or seeds, if there is one encoder)."""
    contrast = Contrast(
        name=arm, treatment=arm, control=control, target=target, group=group, test="difference", sesoi=1.0, sd=1.0
    )
    return compare_means(pair_runs(chapter.require_table(), contrast).by_unit())


EBRAHIMI = Published(
    "Ebrahimi and Kann {cite}`ebrahimi2021adapt` report gains from continued pretraining in languages that pretraining "
    "left out",
    1,
)
PARTS = ChapterParts(
    short="Continued pretraining",
    purposes={
        "direct": "the baseline: fine-tuning alone",
        "more-target": "examines whether any further training helps as much",
        "sham": "examines whether the steps and the English text do it, without the task",
        "labels": "the 2 × 2: labels of an intermediate task, no text of other languages",
        "text": "the 2 × 2: text of all languages that pretraining had, without the unseen ones, and no labels",
        "labels-and-text": "the 2 × 2: both",
        "supertags": "an intermediate task that is itself sequence labelling",
        "entities": "the other target's labels first",
        "tags": "the other target's labels first",
        "text-unseen": "the hypothesis: text of the languages that pretraining left out",
        "text-one": "the dose: as much text, all of one unseen language",
        "text-english": "examines whether masked LM on any text does it, without other languages",
        "text-target": "adapts to the domain: inputs of the target's dev part in every language, the unseen ones too",
    },
    controls={
        ("text-unseen", "text-english"): Control("Masked LM on any text would do: compared with English text.", "zero"),
        ("text", "text-english"): Control("The same for text of all languages.", "zero"),
        ("text-target", "direct"): Control(
            "The domain does it, and not the language: inputs of the target. They have unseen languages too, so this "
            "row cannot separate both. It is over other languages, too: “Is it the language or the domain?” has "
            "the values in those of the primary contrast.",
            "that of the primary contrast, in the same languages",
        ),
        ("labels", "more-target"): Control(
            "Any further training would do as well as MNLI: compared with as many steps on the target.", "zero or less"
        ),
        ("supertags", "more-target"): Control("The same for a task that is sequence labelling itself.", "zero or less"),
        ("sham", "direct"): Control(
            "The steps and the English text do it, without the task: labels are permuted.", "that of MNLI"
        ),
    },
    draw=draw,
    caption=caption,
    mechanism=(
        explain_factors,
        explain_domain,
        explain_task,
        explain_mediation,
        explain_forgetting,
        explain_second_target,
    ),
    real=(explain_forgetting, explain_task),
    beside=("text of unseen languages helps PAN-X there", "text against labels"),
    second=(AS_ASKED, "text against labels"),
    published={
        name: EBRAHIMI
        for name in ("text of unseen languages helps POS there", "text of unseen languages helps PAN-X there")
    },
)
