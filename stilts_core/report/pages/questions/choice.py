"""Q3, the choice of an intermediate task by typology: its rules, its figure, and its mechanism."""

from collections.abc import Sequence
from math import isnan, sqrt

from stilts_core.report.escape import code_span
from stilts_core.report.figures.questions.intervals import IntervalRow, draw_intervals
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import arm_label, group_words, list_words
from stilts_core.report.pages.questions.parts import AS_ASKED, ChapterParts, to_interval
from stilts_core.report.pages.questions.wording import estimate
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.numbers import NO_BREAK, signed, with_minus_signs
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.choice import (
    ALIKE,
    CONTROL,
    PERMUTATIONS,
    Choice,
    candidate_arms,
    describe_share,
    encoders_or_seeds,
    measure_gate,
    share_of_same_choices,
    tabulate_choices,
)
from stilts_core.studies.effects import EffectMap, effects_by_language, map_effects
from stilts_core.studies.inference import compare_means
from stilts_core.studies.power import overlap_factor
from stilts_core.studies.transferability import SCORES
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS

LEVEL = 0.05


def draw(chapter: Chapter, title: str) -> str:
    """What every rule gains on the primary target, in the languages of the primary contrast."""
    primary = chapter.protocol.primary
    choices = tabulate_choices(chapter.require_table(), chapter.protocol, primary.target, primary.group)
    rows = [IntervalRow(arm_label(choice.rule), (to_interval(compare_means(choice.gains)),)) for choice in choices]
    axis = f"gain in {short_title(primary.target)} over no intermediate task, points"
    return draw_intervals(rows, title, axis)


def caption(chapter: Chapter) -> str:
    """How to read the figure."""
    primary = chapter.protocol.primary
    return (
        f"Mean gain in {group_words(primary.group)} on encoders that a rule did not learn from, with 95 % intervals "
        "over encoders. The intervals are not paired: the title's contrast compares rules on the same encoder, so it "
        "can be surer than two intervals that overlap. The oracle sees the result with its noise, and so lies above "
        "what any rule can gain."
    )


def explain_gate(chapter: Chapter) -> list[str]:
    """Whether there is anything to choose for each language, and for all of them."""
    rows, units = [], f"{chapter.protocol.block_noun}s"
    for target in chapter.protocol.targets:
        effects = _map(chapter, target)
        gate = measure_gate(effects)
        components, (low, high) = gate.components, gate.interval
        deviations = (_root(components.task), _root(components.language), _root(components.interaction))
        rows.append(
            [
                short_title(target),
                len(effects.columns("non-english")),
                *(f"{deviation:.2f}" for deviation in deviations[:2]),
                f"{deviations[2]:.2f} [{low:.2f},{NO_BREAK}{high:.2f}]",
                "–" if isnan(components.reliability) else with_minus_signs(f"{components.reliability:z.2f}"),
                f"{gate.by_size:.0%}",
                f"{gate.by_distance:.0%}",
            ]
        )
    columns = ["target", "languages", "task", "language", "task × language", "reliability", "by size", "by distance"]
    return [
        "### Is there anything to choose?",
        "A choice for each language can gain only if tasks help different languages: if the effects have an "
        "interaction of task and language. Standard deviations in points of what two halves share, which differ in "
        f"their {units} (and in their test items where these are recorded); the interval is that of the interaction, "
        f"by the jackknife over {units}. Where it begins at zero, an interaction is not shown, and a rule has nothing "
        "to go by that is known to exist. "
        "*Reliability* is the share of the interaction that is not noise, *by size* and *by distance* the shares of it "
        "that a line in each property explains; of *n* languages a meaningless property explains about 1 / (*n* − 1).",
        markdown_table(columns, rows),
        compare_tasks(chapter),
    ]


def compare_tasks(chapter: Chapter) -> str:
    """How far apart the tasks are on the primary target, beside the margin of the primary contrast."""
    primary, margin = chapter.protocol.primary, chapter.protocol.primary.sesoi
    effects, group = _map(chapter, primary.target), group_words(primary.group)
    means = effects.values[..., effects.columns(primary.group)].mean(axis=(0, 2))
    lowest, highest, centre = int(means.argmin()), int(means.argmax()), float(means.mean())
    furthest = float(abs(means - centre).max())
    found = (
        f"A choice for the whole group can gain only if the tasks differ there. In {group} the mean effects of the "
        f"{len(means)} tasks on {short_title(primary.target)} run from {signed(means[lowest])} "
        f"({code_span(effects.arms[lowest])}) to {signed(means[highest])} ({code_span(effects.arms[highest])}) points, "
        f"and their mean, which a random task gains, is {signed(centre)}."
    )
    if primary.test != "equivalence":
        return found
    if furthest < margin:
        return (
            f"{found} No task is further than {furthest:.2f} points from that mean. So a rule that chooses one task "
            f"for all these languages stays within ±{margin:g} points of a random choice, whichever task it chooses. A "
            "choice for each language can leave this margin only through the interaction above. **Equivalence within "
            "the margin was nearly unavoidable, and says little about the rule.**"
        )
    return (
        f"{found} One task is {furthest:.2f} points from that mean, and the margin is ±{margin:g} points. So a rule "
        "could have left the margin, and equivalence was not certain beforehand."
    )


def explain_rules(chapter: Chapter) -> list[str]:
    """What every rule achieves on every target."""
    primary, table = chapter.protocol.primary, chapter.require_table()
    choices = {
        target: tabulate_choices(table, chapter.protocol, target, primary.group) for target in chapter.protocol.targets
    }
    rows = [
        [
            code_span(choice.rule),
            estimate(compare_means(choice.gains)),
            f"{choice.regret_1:.2f}",
            f"{choice.regret_3:.2f}",
            f"{choice.ndcg:.2f}",
        ]
        for choice in choices[primary.target]
    ]
    columns = ["rule", "gain, points", "regret@1, points", "regret@3, points", "NDCG"]
    others = {
        target: {choice.rule: choice for choice in own} for target, own in choices.items() if target != primary.target
    }
    gains = [
        [
            code_span(choice.rule),
            *(
                estimate(compare_means(own[choice.rule].gains)) if choice.rule in own else "–"
                for own in others.values()
            ),
        ]
        for choice in choices[primary.target]
    ]
    count = len(chapter.blocks)
    return [
        "### What each rule achieves",
        f"In {group_words(primary.group)}. *Gain* is over no intermediate task. *Regret@k* is what the best of a "
        "rule's first k tasks misses of the best task. *NDCG* scores the whole ranking from 0 to 1. Rules learn from "
        "all other encoders, so that gains on different encoders are not independent: tests between rules widen their "
        f"spread by {overlap_factor(count):.2f} for {count} encoders {{cite}}`nadeau2003inference`, the intervals here "
        f"do not. The placebo is the mean over {PERMUTATIONS:,} permutations.",
        "The oracle chooses by the very scores that count as its gain. So it also picks the noise: the best of several "
        "noisy scores lies above zero where no task helps. Its gain, and its distance to a rule, bound what is left to "
        "gain, and their tests against zero mean little.",
        *_explain_scores(choices[primary.target]),
        markdown_table([columns[0], f"gain in {short_title(primary.target)}, points", *columns[2:]], rows),
        "Gains on the other targets, in points:",
        markdown_table(["rule", *map(short_title, others)], gains),
    ]


def _explain_scores(choices: Sequence[Choice]) -> list[str]:
    """What the rules are that no protocol names: scores of transferability, where the table has them."""
    measured = [choice.rule for choice in choices if choice.rule in SCORES]
    if not measured:
        return []
    return [
        f"The last rules ({list_words(map(code_span, measured))}) were not registered. Each chooses one task for all "
        "languages, by how well the encoder's states after it fit the labels of the target's English training "
        "examples: the H-score {cite}`bao2019information`, LogME {cite}`you2021logme`, and the accuracy of nearest "
        "neighbours. "
        "Equal numbers mean that they chose the same task."
    ]


def explain_same_choices(chapter: Chapter) -> list[str]:
    """How often the rule of the hypothesis chooses as its controls do."""
    primary, rows = chapter.protocol.primary, []
    rules = [primary.control, "size", "global"]
    for target in chapter.protocol.targets:
        effects = _map(chapter, target)
        shares = [share_of_same_choices(effects, primary.treatment, rule, primary.group) for rule in rules]
        rows.append([short_title(target), *map(describe_share, shares)])
    return [
        "### Do the rules choose alike?",
        f"How often {code_span(primary.treatment)} chooses the same task for a language as another rule. Near 100 % a "
        "difference of zero is no finding about typology: one task is best for almost all languages, and both rules "
        f"choose it. From {100 * ALIKE:g} % on a contrast of two rules counts as not testable.",
        markdown_table(["target", *map(code_span, rules)], rows),
    ]


def explain_map(chapter: Chapter) -> list[str]:
    """Where the effects of single tasks on single languages are clear."""
    rows = []
    for target in chapter.protocol.targets:
        cells = effects_by_language(_map(chapter, target, "non-english"))
        clear = [(arm, effect) for arm, _, effect, p in cells if p < LEVEL]
        gains = [arm for arm, effect in clear if effect.value > 0]
        most = max(map(gains.count, gains), default=0)
        best = [arm for arm in dict.fromkeys(gains) if gains.count(arm) == most]
        rows.append(
            [
                short_title(target),
                len(cells),
                len(gains),
                len(clear) - len(gains),
                f"{list_words(map(code_span, best))} ({most}{' each' * (len(best) > 1)})" if best else "–",
            ]
        )
    return [
        "### Tasks by languages",
        f"Of all pairs of a task and a language, how many gain and how many lose at level {LEVEL:g} after Benjamini "
        "and Hochberg's correction over the map of a target:",
        markdown_table(["target", "pairs", "gain", "lose", "most gains"], rows),
    ]


def _map(chapter: Chapter, target: str, group: str = "all") -> EffectMap:
    return map_effects(
        encoders_or_seeds(chapter.require_table()), target, candidate_arms(chapter.protocol), CONTROL, group=group
    )


def _root(variance: float) -> float:
    """The standard deviation of an unbiased variance, which may be negative."""
    return sqrt(max(0.0, variance))


PARTS = ChapterParts(
    short="Choice by typology",
    purposes={
        "direct": "the baseline of all gains",
        "sham": "examines whether the steps and the text do it, without a task",
        **dict.fromkeys(INTERMEDIATE_TASKS, "to choose from"),
        "random": "the expected gain without any information",
        "always-mnli": "the default of practice",
        "english": "choice on English alone",
        "global": "one choice for all languages: nothing about the single language",
        "size": "a property of the language that is no typology",
        "typology": "the hypothesis",
        "placebo": "the same rule with as many parameters, and no information about the language",
        "oracle": "an upper bound, too high by the noise that it picks",
    },
    controls={
        ("typology", "placebo"): Control(
            "Any line through the languages would do: compared with permuted distances.",
            "zero (and also wherever both rules choose one task for all languages, as *Mechanism* shows)",
        ),
        ("typology", "size"): Control("The size of the pretraining text says as much.", "zero or less"),
        ("typology", "random"): Control("Any task would do: compared with a random one.", "zero"),
        ("sham", "direct"): Control(
            "The steps and the text do it, without a task: labels are permuted.", "that of a task"
        ),
    },
    draw=draw,
    caption=caption,
    mechanism=(explain_gate, explain_rules, explain_same_choices, explain_map),
    real=(explain_gate, explain_same_choices),
    beside=("typology against the choice on English, POS", "size is no worse than typology, POS"),
    second=(AS_ASKED, "typology against the choice on English, POS"),
)
