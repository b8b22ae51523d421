"""What a run reads: the examples of every part, chosen and checked, and the folder that the result belongs in."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from stilts_core.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, task
from stilts_core.config import ConfigError, RunConfig
from stilts_core.encoder import identity
from stilts_core.families.examples import RetrievalExample, RetrievalSet
from stilts_core.families.sham import permuted
from stilts_core.sources import lab
from stilts_core.sources import load as publishers
from stilts_core.sources.retrieval import paired_set

FORMAT = "3"  # raise it when the same config and data would make another encoder in the intermediate phase
CANDIDATES = 10  # how many candidates a reduced retrieval set has for each of its queries


@dataclass
class Data:
    """The examples of a run, read from `source`, and what is to be said about them.

    `intermediate` and `target` hold English (train, dev) examples; a target scored without training has none. `tuning`
    holds the dev parts that a threshold is tuned on, `repaired` XCOPA's test parts with their questions put right.
    """

    source: ModuleType = publishers
    intermediate: dict[str, tuple[list, list]] = field(default_factory=dict)
    target: tuple[list, list] = ((), ())
    tests: dict[str, list] = field(default_factory=dict)
    tuning: dict[str, list] = field(default_factory=dict)
    repaired: dict[str, list] = field(default_factory=dict)
    texts: list = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def read(self, name: str, split: str, language: str = "en", *, limit: int = 0, seed: int = 0) -> list:
        """At most `limit` of the examples of one part of one task; remembers where they came from.

        The laboratory makes only those that are chosen.
        """
        if self.source is lab and limit:
            numbers = _chosen(range(lab.SIZES[split]), limit, seed)
            examples = lab.load(name, split, language, numbers=numbers)
        else:
            examples = self.source.load(name, split, language)
        self.files |= examples.files
        self.dropped |= {f"{name} {split} {language}: {reason}": n for reason, n in examples.dropped.items()}
        self.note(examples.stand_in)
        return select(examples.items, limit, seed)

    def note(self, text: str | None) -> None:
        """Something that every table of the run must say."""
        if text and text not in self.notes:
            self.notes.append(text)


def source_of(config: RunConfig) -> ModuleType:
    """Where the examples of a run come from: its profile's laboratory, or the publishers' files and the hub."""
    return lab if config.profile == "lab" else publishers


def gather(config: RunConfig) -> Data:
    """Read and choose the examples of every part of a resolved config.

    Raises ConfigError for a task in the wrong role or a language that is not at hand, DataError for faulty data.
    """
    return gather_target(config, gather_intermediate(config))


def gather_intermediate(config: RunConfig) -> Data:
    """The part of `gather` that the intermediate phase needs; its labels are permuted where the config asks for it."""
    data = Data(source_of(config))
    for name in intermediate_tasks(config):
        train = data.read(name, "train", limit=config.intermediate_examples, seed=config.seed)
        train = permuted(train, config.seed) if config.sham_labels else train
        data.intermediate[name] = (train, data.read(name, "dev", limit=config.dev_examples))
    for language, count in _text_counts(config).items():
        texts = lab.unlabelled(language, examples=count) if data.source is lab else publishers.unlabelled(language)
        data.texts += texts.items
        data.files |= texts.files
    publishers.forget_files()
    return data


def gather_target(config: RunConfig, data: Data | None = None) -> Data:
    """The part of `gather` that the target phase and the evaluation need, added to `data`."""
    data = data or Data(source_of(config))
    languages = languages_of(config)
    if task(config.target).trained_on:
        train = data.read(config.target, "train", limit=config.target_examples, seed=config.seed)
        dev = data.read(config.target, "dev", limit=config.dev_examples)
        data.target = (train, [paired_set(dev)] if isinstance(dev[0], RetrievalExample) else dev)
    for language in languages:
        data.tests[language] = _scored(data, config, "test", language)
        if config.target == "bucc2018":
            data.tuning[language] = _scored(data, config, "dev", language)
        if (config.target, data.source) == ("xcopa", publishers) and (right := publishers.repaired_questions(language)):
            test = data.tests[language]
            data.repaired[language] = [replace(e, question=right.get(e.id, e.question)) for e in test]
    publishers.forget_files()
    return data


def files_of(config: RunConfig) -> dict[str, str]:
    """The `files` of what `gather` would read, without making examples of them; raises the same ConfigError."""
    source = source_of(config)
    parts = [(config.target, split, "en") for split in ("train", "dev")] if task(config.target).trained_on else []
    for split in ("test", "dev") if config.target == "bucc2018" else ("test",):
        parts += [(config.target, split, language) for language in languages_of(config)]
    files = _intermediate_files(config)
    for part in parts:
        files |= source.checksums(*part)
    return files


def _intermediate_files(config: RunConfig) -> dict[str, str]:
    """The `files` of what `gather_intermediate` would read."""
    source, files = source_of(config), {}
    for name in intermediate_tasks(config):
        files |= source.checksums(name, "train") | source.checksums(name, "dev")
    for language in _text_languages(config):
        files |= source.text_checksums(language)
    return files


def _text_languages(config: RunConfig) -> tuple[str, ...]:
    """The languages of the unlabelled text that a run reads, which do not depend on its target."""
    if config.intermediate == "none" or not (config.mlm_weight or config.intermediate == "mlm"):
        return ()
    return tuple(config.mlm_languages.split(",")) if config.mlm_languages else source_of(config).text_languages()


def _text_counts(config: RunConfig) -> dict[str, int]:
    """How many texts of each language the laboratory has to make: as many as the steps take, if it has so many.

    The languages keep their shares.
    """
    sizes = {code: lab.LANGUAGES[code].texts if source_of(config) is lab else 0 for code in _text_languages(config)}
    visited = (config.intermediate_epochs or 1) * config.intermediate_examples * max(1, len(intermediate_tasks(config)))
    share = visited / max(1, sum(sizes.values())) or 1
    return {code: min(size, math.ceil(share * size)) for code, size in sizes.items()}


def intermediate_tasks(config: RunConfig) -> tuple[str, ...]:
    """The names of the intermediate tasks that `config.intermediate` asks for: none, one, several, or all nine."""
    if config.intermediate in ("none", "mlm"):
        return ()
    names = INTERMEDIATE_TASKS if config.intermediate == "all" else tuple(config.intermediate.split(","))
    for name in names:
        if "intermediate" not in task(name).roles:
            known = ", ".join(INTERMEDIATE_TASKS)
            raise ConfigError(f"{name} is no intermediate task; choose from none, {known}, socialiqa, all, mlm")
    return tuple(names)


def languages_of(config: RunConfig) -> tuple[str, ...]:
    """The languages to score: those asked for, else all that are at hand."""
    if "target" not in task(config.target).roles:
        raise ConfigError(f"{config.target} is no target task; choose from {', '.join(TARGET_TASKS)}")
    at_hand = source_of(config).available_languages(config.target)
    wanted = tuple(config.languages.split(",")) if config.languages else at_hand
    if missing := [language for language in wanted if language not in at_hand]:
        raise ConfigError(
            f"{config.target} has no test examples in {', '.join(missing)}; at hand are {', '.join(at_hand)}"
        )
    return wanted


def select(examples: list, limit: int, seed: int) -> list:
    """At most `limit` of the examples (0 = all), chosen by a hash of seed and id, in their order.

    Parallel items carry the same id in every language, so the same items are chosen everywhere; and a smaller selection
    is part of a larger one.
    """
    if not limit or len(examples) <= limit:
        return list(examples)
    return [examples[index] for index in _chosen([example.id for example in examples], limit, seed)]


def _chosen(ids: Iterable, limit: int, seed: int) -> list[int]:
    """The positions of those of the ids that `select` chooses."""
    rank = [hashlib.sha256(f"{seed} {number}".encode()).digest() for number in ids]
    return sorted(sorted(range(len(rank)), key=rank.__getitem__)[:limit])


def _scored(data: Data, config: RunConfig, split: str, language: str) -> list:
    """At most as many examples as are to be scored, the same in every run; a retrieval set gets that many queries."""
    limit = config.test_examples
    if task(config.target).family != "retrieval":
        return data.read(config.target, split, language, limit=limit)
    test = data.read(config.target, split, language)
    smaller = smaller_set(test[0], limit)
    if len(smaller.candidates) < len(test[0].candidates):
        data.note(
            f"The sets to search are reduced to {limit} queries and {CANDIDATES} candidates for each: "
            "the scores are higher than on whole sets."
        )
    return [smaller]


def smaller_set(test: RetrievalSet, limit: int) -> RetrievalSet:
    """A retrieval set with at most `limit` queries (0 = all) and CANDIDATES times as many candidates.

    Half of the queries have a right candidate where there are enough of these (in BUCC few sentences have one); all
    right candidates stay.
    """
    if not limit or len(test.queries) <= limit:
        return test
    answered = select([query for query in test.queries if query.id in test.gold], limit, 0)
    others = select([query for query in test.queries if query.id not in test.gold], limit, 0)
    kept = answered[: max(limit - len(others), limit // 2)]
    kept_ids = {query.id for query in kept + others[: limit - len(kept)]}
    gold = {query: right for query, right in test.gold.items() if query in kept_ids}
    right = frozenset().union(*gold.values())
    wrong = [candidate for candidate in test.candidates if candidate.id not in right]
    candidates = right | {candidate.id for candidate in select(wrong, CANDIDATES * limit - len(right), 0)}
    return replace(
        test,
        queries=tuple(query for query in test.queries if query.id in kept_ids),
        candidates=tuple(candidate for candidate in test.candidates if candidate.id in candidates),
        gold=gold,
    )


def run_folder(config: RunConfig, files: dict[str, str]) -> Path:
    """Where the run leaves its record, named after all that decides the result: config, encoder and data.

    `files` are those of `gather` or of `files_of`.
    """
    weights = identity(config.encoder)
    return Path(config.runs_dir) / config.profile / config.run_id(weights=weights, data=_digest(files))


def checkpoint_folder(config: RunConfig) -> Path:
    """Where the encoder after the intermediate phase is kept, for all targets: named after all that decides it."""
    weights = identity(config.encoder)
    facts = {"weights": weights, "data": _digest(_intermediate_files(config)), "format": FORMAT}
    return Path(config.runs_dir) / "checkpoints" / config.intermediate_id(**facts)


def _digest(files: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
