"""Arms, rules of choice, groups of languages and measures in words. All words are plain text, which is not escaped."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from stilts_core.laboratory.languages import get_language
from stilts_core.parameters import LINK
from stilts_core.report.tables.html import metric_name
from stilts_core.report.tables.titles import BESIDE, short_title
from stilts_core.studies.groups import FAR_CUT, GROUPS, NEAR_CUT, POOR_GIB, POOR_TEXTS, WORST, in_group
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.tasks.auxiliaries import LONG_TEXT, OWN_TEXT
from stilts_core.tasks.catalogue import TASKS, get_task

KINDS = {"score": "raw", "globally_centred": "globally centred", "centred": "language-centred"}  # of retrieval
IN_GROUP = {
    "all": "all languages",
    "non-english": "all languages but English",
    "far": "far languages",
    "near": "near languages",
    "low-resource": "low-resource languages",
    "unseen": "unseen languages",
    "little-text": "languages with little text",
    "english": "English",
    "worst-five": f"the {WORST} worst languages",
}
PLAIN = {"all", "non-english", "english"}  # groups whose name says it all
MEANINGS = {
    "far": f"languages whose grammar is more than {FAR_CUT:.2f} away from that of English, as the farthest third of "
    "the benchmarks' languages is",
    "near": f"languages whose grammar is at most {NEAR_CUT:.2f} away from that of English",
    "low-resource": f"languages with at most {POOR_GIB:g} GiB of text in CC-100, and not without any",
    "unseen": "languages without text in CC-100",
    "little-text": f"languages with at most {POOR_GIB:g} GiB of text in CC-100, or without any",
    "worst-five": f"the {WORST} languages with the lowest scores of a run, other than English",
}
IN_LABORATORY = {  # what these groups mean there
    "far": f"{MEANINGS['far']}; nine or twelve of sixteen parameters of grammar differ",
    "low-resource": f"languages of which the encoder's pretraining had some texts, and at most {POOR_TEXTS:,}",
    "unseen": "languages of which the encoder's pretraining had no text",
    "little-text": f"languages of which the encoder's pretraining had at most {POOR_TEXTS:,} texts, or none",
}
RULES = {
    "random": "a random task",
    "always-mnli": "MNLI for every language",
    "english": "the task that is best on English",
    "global": "the task that is best for all other languages on average",
    "size": "the task that the size of a language's pretraining text predicts to be best",
    "typology": "the task that a language's distance to English predicts to be best",
    "placebo": "the same prediction after the distances were permuted among the languages",
    "oracle": "the task that is best on the encoder itself, in hindsight",
}
CHOICES = {  # the same rules in a sentence, after “choice by”
    "random": "chance",
    "always-mnli": "habit (always MNLI)",
    "english": "English scores",
    "global": "the mean over languages",
    "size": "the size of a language's pretraining text",
    "typology": "typology (a language's distance to English)",
    "placebo": "permuted typology (the placebo)",
    "oracle": "hindsight",
}


def list_words(words: Iterable[str]) -> str:
    """Words as a list in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def group_words(group: str) -> str:
    """A group of languages in a sentence, after “in”."""
    return IN_GROUP.get(group) or list_words(get_language(code).name for code in group.split(","))


def explain_groups(protocol: Protocol, codes: Callable[[str], Iterable[str]]) -> list[tuple[str, str]]:
    """Every group of a protocol that needs an explanation, with its meaning and its languages.

    These are the ones among `codes(target)`, for each target on which a contrast is about the group. The worst
    languages differ from run to run, so this group names none.
    """
    meanings = MEANINGS | (IN_LABORATORY if in_laboratory(protocol) else {})
    used, explained = {contrast.group for contrast in protocol.contrasts} - PLAIN, []
    for group in filter(used.__contains__, GROUPS):
        targets = dict.fromkeys(contrast.target for contrast in protocol.contrasts if contrast.group == group)
        named = {
            target: [get_language(code).name for code in codes(target) if in_group(code, group)] for target in targets
        }
        words = "" if group == "worst-five" else _list_by_target(named)
        explained.append((IN_GROUP[group], meanings[group] + words))
    return explained


def _list_by_target(languages: Mapping[str, Sequence[str]]) -> str:
    """Languages in parentheses, for each target on its own if the targets differ; empty if none is known."""
    known = {target: list_words(names) for target, names in languages.items() if names}
    different = list(dict.fromkeys(known.values()))
    if len(different) > 1:
        different = [f"on {short_title(target)}: {names}" for target, names in known.items()]
    return f" ({'; '.join(different)})" if different else ""


def in_laboratory(protocol: Protocol) -> bool:
    """Whether the tasks and languages of a study are generated, and not real."""
    return str(protocol.base.get("profile", "lab")).startswith("lab")


def arm_words(protocol: Protocol, name: str) -> str:
    """An arm, or a rule of choice, as the subject of a sentence."""
    if name not in protocol.arms:
        return f"choice by {CHOICES.get(name, name)}"
    words, arm = phase_words(protocol, name), protocol.arms[name]
    task = str({**protocol.base, **arm.fields}.get("intermediate", "none"))
    return words if task in ("none", "mlm") else f"intermediate training on {words}"


def phase_words(protocol: Protocol, name: str) -> str:
    """The intermediate phase of an arm, or what a rule of choice chooses, in a table."""
    if name not in protocol.arms:
        return RULES.get(name, name)
    arm = protocol.arms[name]
    fields: Mapping[str, object] = {**protocol.base, **arm.fields}
    task = str(fields.get("intermediate", "none"))
    if task == "none":
        return "more steps on the target" if arm.sums else "no intermediate task"
    beside = BESIDE.get(str(fields.get("auxiliary", "")), ("", ""))[0]
    parts = [", then ".join(_task_words(link) for link in task.split(LINK))]
    if fields.get("sham_labels"):
        parts.append("with permuted labels")
    if beside:
        level = " of single tokens" if fields.get("auxiliary_level") == "token" else ""
        parts.append(f"with {beside}{level} (weight {fields.get('auxiliary_weight', 1.0):g})")
    if fields.get("mixed"):
        parts.append("jointly with the target")
    if task == "mlm":
        parts.append(_text_words(fields))
    return " ".join(filter(None, parts))


def _task_words(task: str) -> str:
    if task == "mlm":
        return "masked LM"
    if task == "all":
        return "all nine tasks"
    return short_title(task) if task in TASKS else task


def _text_words(fields: Mapping[str, object]) -> str:
    """The text that masked LM reads."""
    if fields.get("text_source") == OWN_TEXT:
        return "on the target's own inputs"
    kind = "long text" if fields.get("text_source") == LONG_TEXT else "text"
    codes = str(fields.get("text_languages", "") or "")
    if not codes:
        return f"on all languages with {kind}"
    return f"on {kind} of {list_words(get_language(code).name for code in codes.split(','))}"


def arm_label(name: str) -> str:
    """The name of an arm or rule in a figure."""
    return name.replace("-", " ")


def measure_words(contrast: Contrast, languages: str = "") -> str:
    """What a contrast compares, in a sentence: a score, a gap, or a time, on a target and in a group of languages.

    `languages` names them where the group does not say it.
    """
    task, place = get_task(contrast.target), f"in {languages or group_words(contrast.group)}"
    title = task.title
    if contrast.metric in ("processor_seconds", "wall_seconds"):
        kind = contrast.metric.removesuffix("_seconds")
        return f"the {kind} time of inference on {title}"
    if contrast.endpoint == "transfer-gap":
        return f"the gap between English and {group_words(contrast.group)} on {title}"
    if task.family == "retrieval" and (words := _retrieval_words(contrast.metric)):
        return f"{words} on {title} {place}"
    if contrast.metric != "score":
        return f"the metric {metric_name(contrast.metric)} on {title} {place}"
    return f"the score on {title} {place}"


def _retrieval_words(metric: str) -> str:
    """The kind of retrieval that a metric of records measures, and from which hidden state if not the scored one."""
    match = re.fullmatch(r"(score|centred|globally_centred)?:?(?:layer:(\d+))?", metric)
    if not match:
        return ""
    state = f" from hidden state {match[2]}" if match[2] else ""
    return f"{KINDS[match[1] or 'score']} retrieval{state}"


def short_measure(contrast: Contrast) -> str:
    """What a contrast compares, where there is little room."""
    if contrast.metric.endswith("_seconds"):
        return f"{contrast.metric.removesuffix('_seconds')} time"
    kind = "the transfer gap on " * (contrast.endpoint == "transfer-gap")
    if get_task(contrast.target).family == "retrieval" and (words := _retrieval_words(contrast.metric)):
        kind += f"{words} on "
    place = "" if contrast.group == "non-english" else f" in {group_words(contrast.group)}"
    return f"{kind}{short_title(contrast.target)}{place}"


def levels_words(contrast: Contrast) -> str:
    """The levels to which a contrast is limited: `rate: 3e-4`."""
    return "; ".join(f"{factor}: {', '.join(levels)}" for factor, levels in contrast.levels.items())


def place_words(contrast: Contrast) -> str:
    """The target and the languages of a contrast in a table; a time belongs to no language."""
    title = short_title(contrast.target)
    return title if contrast.metric.endswith("_seconds") else f"{title}, {group_words(contrast.group)}"
