"""Q5, a language adversary in the intermediate phase: its arms, its figure, and its mechanism."""

from stilts_core.errors import StudyError
from stilts_core.report.escape import code_span
from stilts_core.report.figures.questions.intervals import IntervalRow, draw_intervals
from stilts_core.report.pages.questions.centring import RETRIEVAL, centring_effect, centring_section
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Control
from stilts_core.report.pages.questions.names import KINDS, arm_label, group_words, list_words
from stilts_core.report.pages.questions.parts import ChapterParts, Published, to_interval
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.adversary import PROBE, ZERO, check_manipulation, choose_weight
from stilts_core.studies.differences import FEWEST_PAIRS
from stilts_core.studies.inference import adjust
from stilts_core.studies.results import StudyTable

CENTRED = "centred"
DIRECT = "direct"
RANDOM = "random-labels"  # the arm whose adversary has labels drawn at random
LEVEL = 0.05


def draw(chapter: Chapter, title: str) -> str:
    """What every arm changes in raw and in language-centred retrieval, and what centring alone brings."""
    rows = [
        IntervalRow(
            arm_label(arm),
            tuple(to_interval(centring_effect(chapter, arm, ZERO, kind)) for kind in ("score", CENTRED)),
        )
        for arm in _arms(chapter)
    ]
    free = to_interval(centring_effect(chapter, ZERO, ZERO, CENTRED, "score"))
    rows.append(IntervalRow("centring alone", (free, None)))
    series = [f"{KINDS['score']} retrieval", f"{KINDS[CENTRED]} retrieval"]
    return draw_intervals(rows, title, f"change compared with {arm_label(ZERO)}, points", series=series)


def caption(chapter: Chapter) -> str:
    """How to read the figure."""
    return (
        f"Retrieval on {short_title(RETRIEVAL)} in all languages but English, each arm compared with "
        f"{code_span(ZERO)}, which has the same passes with weight 0; 95 % intervals over encoders (not corrected). "
        f"*Centring alone* subtracts each language's mean from the states of {code_span(ZERO)}, without any training."
        f"{_absent(chapter)}"
    )


def _absent(chapter: Chapter) -> str:
    """The arms that the figure lacks because too few of their runs are left."""
    shown = {ZERO, *_arms(chapter)}
    absent = [name for name in chapter.protocol.arms if name not in shown]
    if not absent:
        return ""
    return f" Too few runs of {list_words(map(code_span, absent))} are left after the protocol's exclusions."


def explain_manipulation(chapter: Chapter) -> list[str]:
    """Whether the arms removed the language from the states."""
    table = chapter.require_table()
    checks = check_manipulation(table, chapter.protocol, _arms(chapter), RETRIEVAL)
    adjusted = adjust([check.probe.p for check in checks], "fdr_bh")
    rows = [[code_span(ZERO), _probe(table, ZERO), "–", "–", "–"]]
    for check, p in zip(checks, adjusted, strict=True):
        falls = "yes" if p < LEVEL else "not shown"
        rows.append([code_span(check.arm), _probe(table, check.arm), estimate(check.probe), p_words(p), falls])
    return [
        "### Did the adversary do what it is meant to do?",
        "A discriminator that fails may only be fooled. So a *fresh* linear probe learns to name the language from the "
        f"frozen states. Where a fall below the accuracy after {code_span(ZERO)} is not shown, an effect on transfer "
        "cannot be credited to invariance; and while the accuracy is far above chance, the states still have the "
        f"language. A fall after {code_span(RANDOM)} is what any second loss does, whatever it knows of languages: "
        "only a larger one is the adversary's own. Changes of accuracy in points, tested one-sided, with Benjamini and "
        "Hochberg's correction over the arms:",
        markdown_table(["arm", "accuracy", "change", "p", "accuracy falls"], rows),
    ]


def explain_reach(chapter: Chapter) -> list[str]:
    """What centring by language still brings after the adversaries, where no probe says whether they did anything.

    Raises StudyError where a probe was measured: then `explain_manipulation` says more.
    """
    if (chapter.require_table().frame["metric"] == PROBE).any():
        raise StudyError("a probe of the language was measured")
    arms = [arm for arm in (ZERO, *_arms(chapter)) if chapter.protocol.arms[arm].fields.get("auxiliary") == "reversal"]
    rows = [[code_span(arm), estimate(centring_effect(chapter, arm, arm, CENTRED, "score"))] for arm in arms]
    return [
        "### Did the adversary do what it is meant to do?",
        "No probe of the language was measured in this study. What centring by language still brings is an indirect "
        "sign: after an adversary that had removed the languages' offsets it would bring nothing, so where it brings "
        f"about as much as after {code_span(ZERO)}, the adversary did little, and its harm was hardly put to the test. "
        "Language-centred minus raw retrieval, in points:",
        markdown_table(["arm", "centring brings"], rows),
    ]


def _probe(table: StudyTable, arm: str) -> str:
    """The mean accuracy of the probe after an arm."""
    frame = table.frame
    chosen = (frame["arm"] == arm) & (frame["metric"] == PROBE) & (frame["target"] == RETRIEVAL)
    return f"{frame.loc[chosen & (frame['excluded'] == ''), 'score'].mean():.1f}"


def explain_weight(chapter: Chapter) -> list[str]:
    """What a user gains who chooses the weight without labels of the target languages."""
    table, rows = chapter.require_table(), []
    weights = [
        name
        for name, arm in chapter.protocol.arms.items()
        if arm.fields.get("auxiliary") == "reversal" and arm.fields.get("auxiliary_weight") and "auxiliary_level" not in
        arm.fields
    ]  # fmt: skip
    for target in chapter.protocol.targets:
        choice = choose_weight(table, chapter.protocol, weights, target, "non-english")
        rows.append(
            [
                short_title(target),
                code_span(choice.chosen),
                estimate(choice.gain),
                code_span(choice.best),
                estimate(choice.best_gain),
            ]
        )
    columns = ["target", "chosen on English", "change, points", "best in hindsight", "change, points"]
    return [
        "### Could a user have chosen a better weight?",
        f"The weights to choose from are those of {list_words(map(code_span, weights))}; zero is none of them. Without "
        "labels in other languages, the weight must be chosen on English dev scores (of the target, or of the "
        f"intermediate task where the target has none). In {group_words('non-english')}, compared with "
        f"{code_span(ZERO)}; the best in hindsight needs labels, and is an upper bound:",
        markdown_table(columns, rows),
    ]


def explain_retrieval(chapter: Chapter) -> list[str]:
    """Raw and centred retrieval of all arms, and how far the control itself is from centring without training."""
    gap = estimate(centring_effect(chapter, ZERO, DIRECT, "score", CENTRED))
    remark = (
        f" Raw retrieval after {code_span(ZERO)} is {gap} points from the language-centred retrieval of "
        f"{code_span(DIRECT)}, which has no intermediate phase: an arm's distance from centring without training is "
        "that of this control and the arm's own difference, together."
    )
    return centring_section(chapter, _arms(chapter), ZERO, remark)


def _arms(chapter: Chapter) -> list[str]:
    """All arms but the control itself that have enough pairs with it, on every target, which no rule excludes."""
    frame, protocol = chapter.require_table().frame, chapter.protocol
    counted = frame[frame["excluded"] == ""].groupby(["arm", "target"])
    runs = {key: {*zip(rows["encoder"], rows["seed"], strict=True)} for key, rows in counted}
    return [
        name
        for name, arm in protocol.arms.items()
        if name != ZERO
        and all(
            len(runs.get((name, target), set()) & runs.get((ZERO, target), set())) >= FEWEST_PAIRS
            for target in arm.targets or protocol.targets
        )
    ]


PARTS = ChapterParts(
    short="Language adversary",
    purposes={
        "direct": "no intermediate phase; with centring, the free baseline that a method must beat",
        "plain": "the intermediate task alone: examines what the second batch costs",
        "lambda-0": "the control of all adversaries: the same passes over the same text, with weight 0",
        "reversal-weak": "gradient reversal at a tenth of the weight",
        "reversal": "the hypothesis: gradient reversal",
        "reversal-token": "gradient reversal on the state of every token",
        "random-labels": "examines whether any second loss does it: its labels are drawn at random",
        "confusion": "another objective: the discriminator's output is pushed to uniform",
        "mmd": "another objective: the means of the languages in a step are pulled together",
        "means": "another objective: the running means of the languages are pulled together",
        "mlm": "examines whether the text is better used for masked LM",
    },
    controls={
        ("lambda-0", "plain"): Control(
            "The second batch alone does it, without a penalty.", "that of the primary contrast"
        ),
        ("random-labels", "lambda-0"): Control(
            "Any second loss does it: languages are drawn at random.", "that of the primary contrast"
        ),
        ("reversal-weak", "mlm"): Control("The same text serves better for masked LM.", "below zero"),
        ("mlm", "lambda-0"): Control("Masked LM on the same text does something by itself.", "not zero"),
        ("reversal-weak", "direct"): Control("Centring by language does more, without any training.", "below zero"),
        "confusion, languages never shown": Control(
            "An effect is confined to the languages that the penalty sees: here those that it never sees.", "zero"
        ),
        "confusion, languages shown": Control("The same penalty in the languages that it sees.", "not zero"),
    },
    draw=draw,
    caption=caption,
    mechanism=(explain_manipulation, explain_weight, explain_retrieval),
    real=(explain_reach, explain_retrieval),
    beside=("reversal harms POS", "a weak reversal does not reach centring without training"),
    published={
        "reversal harms POS": Published(
            "Keung et al. {cite}`keung2019adversarial` report gains of an adversary in classification and in the "
            "recognition of names",
            1,
        ),
    },
)
