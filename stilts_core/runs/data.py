"""The examples of a run, read from its parts, and the facts about them that its record and tables print."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stilts_core.config import PUBLISHERS, ResolvedConfig
from stilts_core.errors import DataError, shown
from stilts_core.families.sham_labels import permute_labels
from stilts_core.runs.inputs import TrainingParts, intermediate_inputs, target_inputs
from stilts_core.sources import publishers
from stilts_core.sources.parts import Part
from stilts_core.sources.repair import repaired_questions
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import RetrievalExample, RetrievalSet, TextExample, has_label
from stilts_core.tasks.retrieval_sets import CANDIDATES, paired_set, smaller_set


@dataclass
class PartFacts:
    """Left-out items by part and reason, and sentences that every table of the run must print."""

    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def read(self, part: Part) -> list:
        """The examples of a part; its facts are added."""
        examples = part.read()
        name = f"{part.task.name} {part.split} {part.language}"
        self.dropped |= {f"{name}: {reason}": count for reason, count in examples.dropped.items()}
        self.note(examples.stand_in)
        return examples.items

    def note(self, text: str | None) -> None:
        """Add a sentence, once."""
        if text and text not in self.notes:
            self.notes.append(text)


@dataclass
class IntermediateData:
    """English (train, dev) examples by intermediate task, and unlabelled texts.

    `text_sizes` are the numbers of texts that the languages' shares in sampling count, in the order of the texts.
    """

    tasks: dict[str, tuple[list, list]] = field(default_factory=dict)
    texts: list[TextExample] = field(default_factory=list)
    text_sizes: list[int] = field(default_factory=list)
    facts: PartFacts = field(default_factory=PartFacts)


@dataclass
class TargetData:
    """The target's English examples and its test sets by language.

    `train` and `dev` are empty for a target that is scored without training. `tuning` holds the dev sets that set the
    threshold of mined pairs, `repaired` XCOPA's test sets with repaired questions. `unscored` are the languages whose
    test part has no labels.
    """

    train: list = field(default_factory=list)
    dev: list = field(default_factory=list)
    tests: dict[str, list] = field(default_factory=dict)
    tuning: dict[str, list] = field(default_factory=dict)
    repaired: dict[str, list] = field(default_factory=dict)
    unscored: list[str] = field(default_factory=list)
    facts: PartFacts = field(default_factory=PartFacts)


def read_intermediate(config: ResolvedConfig) -> IntermediateData:
    """Read what the last intermediate phase trains on; its labels are permuted where the config asks for it."""
    data, inputs = IntermediateData(), intermediate_inputs(config)
    for parts in inputs.tasks:
        train, dev = _read_training(data.facts, parts)
        train = list(permute_labels(train, config.seeds.selection)) if config.sham_labels else train
        data.tasks[parts.train.task.name] = (train, dev)
    for text in inputs.texts:
        part = text.read()
        items = part.items
        data.facts.dropped |= {f"text {text.language}: {reason}": count for reason, count in part.dropped.items()}
        data.texts += items
        data.text_sizes.append(text.size or len(items))
    publishers.forget_files()
    return data


def read_target(config: ResolvedConfig) -> TargetData:
    """Read what the target phase trains on and the evaluation scores."""
    data, inputs = TargetData(), target_inputs(config)
    if inputs.training:
        data.train, data.dev = _read_training(data.facts, inputs.training)
    repairable = config.source == PUBLISHERS and get_task(config.target).questions_from
    for code, part in inputs.tests.items():
        data.tests[code] = _read_scored(data.facts, part, config.test_examples)
        if tuning := inputs.tuning.get(code):
            data.tuning[code] = _read_scored(data.facts, tuning, config.test_examples)
        if not _is_scored(data.tests[code]):
            data.unscored.append(code)
        elif repairable and (right := repaired_questions(config.target, code)):
            data.repaired[code] = [replace(e, question=right.get(e.id, e.question)) for e in data.tests[code]]
    if get_task(config.target).parallel:
        _require_parallel(inputs.tests, {code: data.tests[code] for code in data.tests if code not in data.unscored})
    if data.unscored:
        data.facts.note(
            f"No labels in the test part of {config.target} in {', '.join(data.unscored)}: predictions are written, "
            "and nothing is scored or averaged there."
        )
    publishers.forget_files()
    return data


def _require_parallel(parts: Mapping[str, Part], tests: Mapping[str, list]) -> None:
    """Raises DataError where the scored items of a parallel set are not those of the language that has most.

    Their ids are compared, as items are chosen by them: a file that is cut off gives another choice.
    """
    ids = {
        code: {item.id for test in items for item in getattr(test, "queries", (test,))} for code, items in tests.items()
    }
    most = max(ids, key=lambda code: len(ids[code]), default="")
    for code, own in ids.items():
        if lacking := ids[most] - own:
            files = dict.fromkeys([*parts[code].checksums(), *parts[most].checksums()])
            raise DataError(
                f"{', '.join(files)}: {len(lacking)} of the {len(ids[most])} items that are scored in '{most}' are not "
                f"scored in '{code}', such as {shown(min(lacking))}; the languages are parallel, so one of the files "
                "is cut off: download them again, or leave a language out (--languages)"
            )


def _is_scored(test: list) -> bool:
    """Whether a test set has labels; a part that lacks only some of them cannot be read."""
    return all(has_label(item) for item in test)


def _read_training(facts: PartFacts, parts: TrainingParts) -> tuple[list, list]:
    train, dev = facts.read(parts.train), facts.read(parts.dev)
    return train, [paired_set(dev)] if isinstance(dev[0], RetrievalExample) else dev


def _read_scored(facts: PartFacts, part: Part, limit: int) -> list:
    """The items to score, the same in every run; a retrieval set is reduced to `limit` queries (0 = all)."""
    items = facts.read(part)
    if part.task.family != "retrieval":
        return items
    whole: RetrievalSet = items[0]
    smaller = smaller_set(whole, limit)
    if len(smaller.candidates) < len(whole.candidates):
        facts.note(
            f"{part.task.title} is reduced to {limit} queries and {CANDIDATES} candidates for each: "
            "its scores are higher than on the whole set."
        )
    return [smaller]
