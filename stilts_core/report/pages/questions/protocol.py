"""The section "Protocol" of a chapter: what was fixed, when, and what each arm is there for."""

from collections import Counter
from collections.abc import Mapping

from stilts_core.config import RunConfig
from stilts_core.laboratory.language.design import CODES
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import explain_groups, in_laboratory, list_words, phase_words
from stilts_core.report.pages.questions.wording import decision_rule, progress
from stilts_core.report.tables.html import count, markdown_table, minute
from stilts_core.report.tables.titles import short_title
from stilts_core.studies.protocol import Arm, Exclusion, Protocol
from stilts_core.studies.registration import Registration, minimum_detectable
from stilts_core.studies.results import StudyTable

# Fields of arms that the words for an intermediate phase do not say.
SHOWN = ("intermediate_steps", "intermediate_frozen", "text_steps", "text_examples", "intermediate_lr", "text_lr")
# Fields that profiles set.
SIZES = ("intermediate_examples", "target_examples", "dev_examples", "test_examples", "batch_size", "max_length",
         "warmup", "weight_decay", "clip", "dropout", "pooling", "layer")  # fmt: skip


def build_protocol(chapter: Chapter, purposes: Mapping[str, str]) -> str:
    """The section, as MyST. `purposes` says by name what an arm is there for; else the protocol's note does."""
    protocol = chapter.protocol
    parts = [
        f"**Hypothesis.** {markdown_text(protocol.hypothesis)}",
        describe_registration(chapter),
        describe_design(chapter),
        f"**Primary contrast.** {_primary(protocol)}",
        "**Arms.** Every arm is run with every encoder and seed, on the same examples in the same order. In "
        "parentheses are limits to some targets or levels, and below them what an arm sets by itself.",
        _arms(protocol, purposes),
        *_factors(protocol),
        *describe_groups(chapter),
        describe_exclusions(chapter),
    ]
    return "\n\n".join(parts) + "\n"


def describe_registration(chapter: Chapter) -> str:
    """When and at which revision the protocol was registered, and what it replaced, as MyST."""
    registration = chapter.registration
    own = code_span(chapter.protocol.digest[:12])
    if registration is None:
        return (
            f"**Registration.** The protocol (digest {own}) is not registered yet: `stilts study` registers it before "
            "its first run."
        )
    same = registration.digest == chapter.protocol.digest
    sentences = [
        f"**Registration.** Registered on {markdown_text(minute(registration.time))} (UTC) at revision "
        f"{code_span((registration.commit or 'unknown')[:12])}"
        f"{'' if registration.clean else ', with changes that were not committed'}; digest "
        f"{code_span(registration.digest[:12])}."
    ]
    if not same:
        sentences.append(f"The protocol was changed since then: its digest is now {own}.")
    sentences.append(_deviations(chapter, registration))
    if chapter.standing.reasons:
        reasons = "; ".join(map(markdown_text, chapter.standing.reasons))
        sentences.append(f"At present no result can be confirmatory: {reasons}.")
    return " ".join(sentences)


def _deviations(chapter: Chapter, registration: Registration) -> str:
    """The amendment, and the registrations that the last one replaced."""
    parts = []
    if amendment := registration.amendment:
        known = count(amendment.seen, chapter.protocol.block_noun)
        parts.append(
            f"On {markdown_text(minute(amendment.time))}, when the results of {known} were known, it was decided to "
            f"stop after {amendment.blocks}. {markdown_text(amendment.reason)}"
        )
    if registration.earlier:
        parts.append(_replaced(registration))
    return f"Deviations: {' '.join(parts) or 'none.'}"


def _replaced(registration: Registration) -> str:
    """The registrations that the last one replaced, and why."""
    earlier = [
        f"{markdown_text(minute(str(old.get('time'))))} (digest {code_span(str(old.get('digest'))[:12])})"
        for old in registration.earlier
    ]
    reasons = [markdown_text(str(old["reason"])) for old in registration.earlier if "reason" in old]
    replaced = f"This registration replaced {count(len(earlier), 'earlier one')}, of {'; '.join(earlier)}."
    return " ".join([replaced, *reasons])


def describe_design(chapter: Chapter) -> str:
    """The size of the study, its replicates, and what is fixed for all its runs, as MyST."""
    protocol, size = chapter.protocol, chapter.study.forecast
    factors = "".join(f", {count(len(levels), 'level')} of *{markdown_text(name)}*" for name, levels in
                      protocol.factors.items())  # fmt: skip
    targets = ", ".join(short_title(target) for target in protocol.targets)
    settings = _settings(protocol.base)
    own = "".join(f" On {short_title(name)}: {_settings(fields)}." for name, fields in protocol.per_target.items())
    done = f" ({progress(chapter)})" if chapter.is_interim else ""
    runs = count(size.runs, "run")
    if chapter.stopped_early and not chapter.is_interim:
        ran = sum(
            protocol.block_of(run["encoder"], run["seed"]) in chapter.required for run in chapter.study.design.configs
        )
        done = f", of which {len(chapter.required)} were run before the study was stopped (see *Deviations*)"
        runs = f"{ran:,} of {runs}"
    return (
        f"**Design.** {count(len(protocol.arms), 'arm')}{factors}; targets: {targets}; "
        f"{_number_of_replicates(protocol)}{done}; "
        f"{runs}. {_replicates(protocol)} Set for all runs, unless an arm, a level or a target sets its own: "
        f"{settings}.{own} {_resolved(chapter)}"
    )


def _resolved(chapter: Chapter) -> str:
    """What the profile adds to the settings of the protocol: sizes that a reader needs to repeat the study."""
    config = RunConfig.from_dict(dict(chapter.study.design.configs[0])).resolved()
    fixed = set(chapter.protocol.base).union(*chapter.protocol.per_target.values())
    values = {name: getattr(config, name) for name in SIZES if name not in fixed}
    return f"The profile sets: {_settings({name: value for name, value in values.items() if value is not None})}."


def _settings(values: Mapping[str, object]) -> str:
    """Fields of a run with their values; numbers as a reader writes them."""
    shown = {name: f"{value:,}" if type(value) is int else value for name, value in values.items()}
    return ", ".join(f"{code_span(name)} {code_span(value)}" for name, value in shown.items())


def _number_of_replicates(protocol: Protocol) -> str:
    if len(protocol.encoders) == 1:
        return f"encoder {code_span(protocol.encoders[0])}, {count(len(protocol.seeds), 'seed')}"
    return f"{count(len(protocol.encoders), 'encoder')}, each with {count(len(protocol.seeds), 'seed')}"


def _replicates(protocol: Protocol) -> str:
    """What is paired with what, and over what a test generalises."""
    if protocol.latency:
        return (
            f"Blocks of processes are the replicates: {protocol.latency.blocks} for each batch size and length, in "
            "which the arms take turns, and every comparison is paired within a block."
        )
    if protocol.block_noun == "seed":
        encoders = "this one encoder" if len(protocol.encoders) == 1 else "the mean over these encoders"
        return (
            "Seeds are the replicates: each chooses its own examples, their order and the first weights of heads, and "
            f"every comparison is paired within a seed. Intervals hold for {encoders}."
        )
    return (
        "Encoders are the replicates: each was pretrained from its own random weights on its own invented words, and "
        "every comparison is paired within an encoder."
    )


def _primary(protocol: Protocol) -> str:
    primary, others = protocol.primary, len(protocol.family) - 1
    detectable = minimum_detectable(protocol, primary)
    expected = "" if detectable is None else f"; detectable with power .9: {detectable:.2f}"
    if detectable is not None and detectable > primary.sesoi:
        expected += (
            ", which is more than the smallest effect of interest, so that a true effect between both may stay open"
        )
    family = (
        f"With {count(others, 'other contrast')} it forms the confirmatory family, over which Holm's correction runs."
        if others
        else "It is the only confirmatory contrast."
    )
    return (
        f"*{markdown_text(primary.name)}*: {code_span(primary.treatment)} minus {code_span(primary.control)}. "
        f"{markdown_text(decision_rule(primary))} Smallest effect of interest {primary.sesoi:g}, expected standard "
        f"deviation between replicates {primary.sd:g}{expected}. {family} All other contrasts are exploratory, with "
        "Benjamini and Hochberg's correction."
    )


def _arms(protocol: Protocol, purposes: Mapping[str, str]) -> str:
    roles = {name: "control" if arm.control else "treatment" for name, arm in protocol.arms.items()}
    rows = []
    for name, role in (roles | dict.fromkeys(protocol.selectors, "rule of choice")).items():
        arm = protocol.arms.get(name, Arm())
        phase = markdown_text(phase_words(protocol, name) + _limits(arm))
        own = {field: value for field, value in arm.fields.items() if field in SHOWN}
        rows.append(
            [
                f"{code_span(name)}<br>{role}",
                "<br>".join(filter(None, [phase, _settings(own)])),
                markdown_text(purposes.get(name) or arm.note or "–"),
            ]
        )
    return markdown_table(["arm", "intermediate phase", "what it is there for"], rows)


def _limits(arm: Arm) -> str:
    """The targets and levels to which an arm is limited, in parentheses."""
    targets = [f"only on {list_words(map(short_title, arm.targets))}"] if arm.targets else []
    limits = [*targets, *(f"{factor}: {', '.join(levels)}" for factor, levels in arm.levels.items())]
    return f" ({'; '.join(limits)})" if limits else ""


def _factors(protocol: Protocol) -> list[str]:
    """The levels of every factor, and the fields that they set."""
    if not protocol.factors:
        return []
    lines = []
    for name, levels in protocol.factors.items():
        fields = dict.fromkeys(field for own in levels.values() for field in own)
        names = ", ".join(map(markdown_text, levels))
        lines.append(f"- *{markdown_text(name)}* sets {list_words(map(code_span, fields))}: {names}.")
    return ["**Levels.** Arms are run at all combinations of these, unless the table limits them.", "\n".join(lines)]


def describe_groups(chapter: Chapter) -> list[str]:
    """The groups of languages that contrasts use, with the languages of the laboratory or of their targets, as MyST."""
    generated = in_laboratory(chapter.protocol)
    explained = explain_groups(
        chapter.protocol, lambda target: CODES if generated else _scored_languages(chapter, target)
    )
    if chapter.protocol.latency or not explained:
        return []
    lines = [f"- *{markdown_text(name)}*: {markdown_text(meaning)}." for name, meaning in explained]
    names = " Names are those of [generated languages](../languages.md)." if generated else ""
    return [f"**Languages.**{names}", "\n".join(lines)]


def _scored_languages(chapter: Chapter, target: str) -> list[str]:
    """The languages in which the table has scores of a target, in order."""
    if chapter.table is None:
        return []
    frame = chapter.table.frame
    scored = (frame["target"] == target) & (frame["metric"] == "score")
    return sorted({*frame.loc[scored, "language"]} - {""})


def describe_exclusions(chapter: Chapter) -> str:
    """The rules that exclude runs, and how many runs they exclude, as MyST."""
    rules = chapter.protocol.exclusions
    if not rules:
        return "**Exclusions.** The protocol has no rule that excludes a run."
    rows = [
        [
            markdown_text(rule.reason),
            f"{rule.phase} dev{f' of {code_span(rule.task)}' if rule.task else ''} below {rule.below:g}",
            ", ".join(map(code_span, rule.arms)) or "all",
            _count_excluded(rule, chapter.table) if chapter.table else "–",
        ]
        for rule in rules
    ]
    table = markdown_table(["reason", "rule", "arms", "excluded runs"], rows)
    return f"**Exclusions.** An excluded run takes its pair with it.\n\n{table}"


def _count_excluded(rule: Exclusion, table: StudyTable) -> str:
    """How many runs the rule excludes, of those to which it applies, and of which arms they are."""
    runs = table.frame[["run", "arm", "excluded"]].drop_duplicates()
    arms = [arm for arm in runs["arm"] if rule.applies(arm)]
    dropped = Counter(runs["arm"][runs["excluded"].str.contains(rule.reason, regex=False)])
    shown = [f"{code_span(arm)}: {dropped[arm]} of {count}" for arm, count in Counter(arms).items() if dropped[arm]]
    return "; ".join([f"{sum(dropped[arm] for arm in set(arms))} of {len(arms)}", *shown])
