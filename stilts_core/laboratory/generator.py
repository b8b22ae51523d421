"""The generator of the laboratory: every task, and unlabelled text, in every generated language.

`load` returns the tasks of the catalogue, as that of `sources.publishers` does for the publishers' data. A seed decides
the examples, an edition the words of the languages.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Protocol

from stilts_core.errors import DataError, DataNotFound
from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.disk_cache import cached_examples, cached_sets
from stilts_core.laboratory.edition import FIRST, Edition
from stilts_core.laboratory.language.design import LANGUAGES, LabLanguage, redraw
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.tasks import choices, doubtful_tags, pairs, questions, retrieval, tagging
from stilts_core.laboratory.version import VERSION
from stilts_core.laboratory.world.texts import draw_retold_text, draw_text
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import (
    ChoiceExample,
    Example,
    ExampleSet,
    PairExample,
    RetrievalSet,
    SpanExample,
    TaggingExample,
    TextExample,
    texts_of_inputs,
)
from stilts_core.tasks.retrieval_sets import multilingual_pool, sentence_of_answer
from stilts_core.tasks.selection import chosen_positions

SIZES = {"train": 20_000, "dev": 1000, "test": 1000}
QUERIES = 300  # in a retrieval set


class MeaningItem(Protocol):
    """A labelled item whose texts are meanings; it has an example in every language."""

    def to_example(self, number: int, realiser: Realiser) -> Example: ...


# The function that draws an item of a task, from dice and for a part.
DRAW_ITEM: dict[str, Callable[[Dice, str], MeaningItem]] = {
    "anli": pairs.draw_anli,
    "mnli": pairs.draw_mnli,
    "qqp": pairs.draw_qqp,
    "squad_v2": questions.draw_squad_v2,
    "squad": questions.draw_squad,
    "hellaswag": choices.draw_hellaswag,
    "ccg": tagging.draw_ccg,
    "cosmosqa": choices.draw_cosmosqa,
    "commonsenseqa": choices.draw_commonsenseqa,
    "socialiqa": choices.draw_socialiqa,
    "logic": choices.draw_logic,
    "copa": choices.draw_copa,
    "xnli": pairs.draw_mnli,
    "pawsx": pairs.draw_pawsx,
    "udpos": tagging.draw_udpos,
    "panx": tagging.draw_panx,
    "xquad": questions.draw_squad,
    "mlqa": questions.draw_mlqa,
    "tydiqa": questions.draw_tydiqa,
    "xcopa": choices.draw_copa,
}
DRAW_DOUBTFUL_ITEM: dict[str, Callable[[Dice, str], MeaningItem]] = {
    "udpos": doubtful_tags.draw_doubtful_udpos,
    "panx": doubtful_tags.draw_doubtful_panx,
}
TASK_NAMES = (*DRAW_ITEM, "tatoeba", "bucc2018", "lareqa")
_PARTS = {"tatoeba": ("test",), "bucc2018": ("dev", "test")}  # of the tasks that lack a part
_EXAMPLE_TYPES: dict[str, type[Example]] = {
    "pair": PairExample,
    "choice": ChoiceExample,
    "tagging": TaggingExample,
    "span": SpanExample,
}


def draw_items(
    name: str,
    split: str,
    language: str = "en",
    *,
    seed: int = 0,
    examples: int = 0,
    numbers: Iterable[int] = (),
    edition: Edition = FIRST,
) -> list[MeaningItem]:
    """Draw the first `examples` items of a part, or the items with the given `numbers`, as meanings.

    Item i depends on seed, part and i alone. All languages share the items of a parallel task; in other tasks, every
    language but English has its own items.
    """
    own = "" if get_task(name).parallel or language == "en" else language
    return list(_draw_items(name, split, own, seed, tuple(numbers or range(examples)), _is_doubtful(name, edition)))


def _is_doubtful(name: str, edition: Edition) -> bool:
    """Whether an edition has a harder variant of a task."""
    return edition.doubtful_tags and name in DRAW_DOUBTFUL_ITEM


@lru_cache(maxsize=4)
def _draw_items(
    name: str, split: str, own: str, seed: int, numbers: tuple[int, ...], doubtful: bool
) -> tuple[MeaningItem, ...]:
    draw = (DRAW_DOUBTFUL_ITEM if doubtful else DRAW_ITEM)[name]
    return tuple(draw(Dice(seed, name, own, split, number), split) for number in numbers)


def load(
    name: str,
    split: str,
    language: str = "en",
    *,
    seed: int = 0,
    examples: int | None = None,
    numbers: Iterable[int] = (),
    edition: Edition = FIRST,
) -> ExampleSet:
    """Generate the examples of one part ('train', 'dev' or 'test') of a task in one language of the laboratory.

    `examples` is the number of examples (default: SIZES) or, in a retrieval set, of queries (default: QUERIES).
    `numbers` selects single examples by their ids instead. As in the publishers' data, the train and dev parts of a
    target are English and come from the task that it is trained on; the dev part of BUCC is in the language itself. The
    test part of LAReQA takes 'mul' for the multilingual pool.

    Raises DataError for an unknown part or language, and DataNotFound for a task that the laboratory does not have.
    """
    row = get_task(name)
    _check_part(name, split, language)
    count = SIZES[split] if examples is None else examples
    if split != "test" and row.trained_on not in (None, name):
        items = load(row.trained_on, split, seed=seed, examples=count, numbers=numbers, edition=edition).items
        pairs_wanted = row.family == "retrieval"
        return _as_example_set([sentence_of_answer(item) for item in items] if pairs_wanted else items, edition)
    if row.family == "retrieval":
        queries = QUERIES if examples is None else examples
        # A set shows English, too, and the pool of LAReQA every language.
        codes = tuple(LANGUAGES) if language == "mul" else ("en", language)
        of_set = VERSION, name, split, language, tuple(_definition(code, edition) for code in codes), seed, queries
        sets = cached_sets(lambda: _retrieval_sets(name, split, language, seed, queries, edition), *of_set)
        return _as_example_set(sets, edition)
    chosen = tuple(numbers or range(count))

    def generate() -> list[Example]:
        realiser = get_realiser(language, edition)
        items = draw_items(name, split, language, seed=seed, numbers=chosen, edition=edition)
        return [item.to_example(number, realiser) for number, item in zip(chosen, items, strict=True)]

    # The key holds the language's definition, because `invent` gives the same code to several languages.
    key: tuple = (VERSION, name, split, _definition(language, edition), seed, chosen)
    key += ("doubtful",) * _is_doubtful(name, edition)
    return _as_example_set(cached_examples(generate, _EXAMPLE_TYPES[row.family], *key), edition)


def _check_part(name: str, split: str, language: str) -> None:
    """Raise DataError or DataNotFound if the laboratory does not have a part of a task in a language."""
    if split not in (parts := _PARTS.get(name, tuple(SIZES))):
        raise DataError(f"{name} has no part '{split}'; choose {' or '.join(parts)}")
    if split != "test" and get_task(name).trained_on and language != "en":
        raise DataError(f"the {split} part of {name} is English only, not in '{language}'; choose 'en'")
    if language not in (known := available_languages(name, split)) and (name, language) != ("lareqa", "mul"):
        raise DataError(
            f"{name} has no {split} part in '{language}' in the laboratory; choose one of {', '.join(known)}"
        )


def read(
    name: str, split: str, language: str = "en", *, limit: int = 0, seed: int = 0, edition: Edition = FIRST
) -> ExampleSet:
    """Generate at most `limit` examples of a part (0 = all), and no others.

    `tasks.selection` chooses by a hash of `seed` and the item's number, as it does for publishers' data.
    """
    if not limit:
        return load(name, split, language, edition=edition)
    return load(name, split, language, numbers=_choose(SIZES[split], limit, seed), edition=edition)


@lru_cache(maxsize=16)
def _choose(size: int, limit: int, seed: int) -> list[int]:
    # All languages share the choice: without this cache it took a quarter of a small run.
    return chosen_positions(range(size), limit, seed)


def available_languages(name: str, split: str = "test") -> tuple[str, ...]:
    """Return the languages of a part of a task, nearest to English first; all languages have test parts of targets."""
    row = get_task(name)
    if name not in TASK_NAMES:
        raise DataNotFound(f"the laboratory has no {row.title}; choose one of {', '.join(TASK_NAMES)}")
    if row.trained_on is None:
        return tuple(code for code in LANGUAGES if code != "en")
    return tuple(LANGUAGES) if split == "test" and "target" in row.roles else ("en",)


def unlabelled(
    language: str,
    *,
    seed: int = 0,
    examples: int | None = None,
    edition: Edition = FIRST,
    mixed: float = 0.0,
    retold: float = 0.0,
) -> ExampleSet:
    """Generate unlabelled texts of one to three sentences; the texts of different languages are no translations.

    `examples` is the number of texts (default: the size of the language's pretraining text). All texts belong to the
    train part, so no text of a test part is among them. A share `mixed` of the texts of several sentences has one
    sentence in English, as many web pages do (Blevins & Zettlemoyer 2022). A share `retold` of the texts tells an event
    twice, or asks about it, beside those of this kind among all others. Raises DataNotFound for a language without
    pretraining text if no number is given.
    """
    definition = _definition(language, edition)
    count = definition.texts if examples is None else examples
    if not count:
        raise DataNotFound(
            f"{definition.name} has no pretraining text because it serves as an unseen language; to generate some "
            "nevertheless, pass the number of texts as `examples`"
        )

    def generate() -> list[TextExample]:
        realiser, english = get_realiser(language, edition), get_realiser("en", edition)
        examples = []
        for number in range(count):
            choices = Dice(seed, "kind of text", language, number)
            draw = draw_retold_text if _happens(choices, retold) else draw_text
            text = draw(Dice(seed, "text", language, number))
            realisers = [realiser] * len(text)
            if len(text) > 1 and _happens(choices, mixed):
                realisers[choices.below(len(text))] = english
            realised = (one.text(sentence) for one, sentence in zip(realisers, text, strict=True))
            examples.append(TextExample(str(number), language, " ".join(realised)))
        return examples

    key = (VERSION, definition, seed, count) + (mixed, retold) * bool(mixed or retold)
    return _as_example_set(cached_examples(generate, TextExample, *key), edition)


def _happens(dice: Dice, share: float) -> bool:
    """True with a probability of `share`."""
    return dice.below(1000) < 1000 * share


def task_inputs(
    name: str, language: str, *, limit: int = 0, selection: int = 0, edition: Edition = FIRST
) -> ExampleSet:
    """The inputs of the dev part of a task in one language as unlabelled texts.

    At most `limit` items (0 = all) are chosen by a hash of `selection` and number.
    """
    if language not in (known := text_languages(task=name)):
        raise DataError(f"{name} has no dev part in '{language}'; choose one of {', '.join(known)}")
    if name in _PARTS:
        items: list = _retrieval_sets(name, "dev", language, 0, QUERIES, edition)
        return _as_example_set(texts_of_inputs(items, language)[: limit or None], edition)
    chosen = chosen_positions(range(SIZES["dev"]), limit or SIZES["dev"], selection)

    def generate() -> list[TextExample]:
        realiser = get_realiser(language, edition)
        items = draw_items(name, "dev", language, numbers=chosen, edition=edition)
        examples = [item.to_example(number, realiser) for number, item in zip(chosen, items, strict=True)]
        return texts_of_inputs(examples, language)

    key: tuple = (VERSION, "all inputs", name, _definition(language, edition), tuple(chosen))
    key += ("doubtful",) * _is_doubtful(name, edition)
    return _as_example_set(cached_examples(generate, TextExample, *key)[: limit or None], edition)


def text_languages(*, task: str = "") -> tuple[str, ...]:
    """Return the languages that have pretraining text, or in which the dev part of `task` can be generated."""
    if not task:
        return tuple(code for code, language in LANGUAGES.items() if language.texts)
    if "dev" in _PARTS.get(task, ()):
        return available_languages(task, "dev")
    if task not in DRAW_ITEM:
        raise DataNotFound(
            f"{get_task(task).title} has no dev part in the laboratory, and its test part is never read as unlabelled "
            "text; leave text_source out, or choose another target"
        )
    return tuple(LANGUAGES)


def further_text_languages() -> tuple[str, ...]:
    """Return the languages that pretraining left out; their text is generated for those who ask for it by name."""
    return tuple(code for code, language in LANGUAGES.items() if not language.texts)


def text_size(language: str, *, task: str = "") -> int:
    """Return how many unlabelled texts there are: as many as in pretraining, or as in English if it left them out."""
    return SIZES["dev"] if task else LANGUAGES[language].texts or LANGUAGES["en"].texts


@cache
def get_realiser(language: str, edition: Edition = FIRST) -> Realiser:
    """Return the realiser of a language; raises DataError that lists the known codes."""
    return Realiser(_definition(language, edition))


def _definition(language: str, edition: Edition) -> LabLanguage:
    if language not in LANGUAGES:
        raise DataError(f"the laboratory has no language '{language}'; choose one of {', '.join(LANGUAGES)}")
    return redraw(LANGUAGES[language], edition.draw)


def _retrieval_sets(
    name: str, split: str, language: str, seed: int, count: int, edition: Edition
) -> list[RetrievalSet]:
    english = get_realiser("en", edition)
    if name == "tatoeba":
        return [retrieval.build_tatoeba(seed, count, english, get_realiser(language, edition))]
    if name == "bucc2018":
        return [retrieval.build_bucc(seed, split, count, english, get_realiser(language, edition))]
    items = draw_items("xquad", "test", seed=seed, examples=count)
    span_items = [item for item in items if isinstance(item, questions.SpanItem)]
    codes = LANGUAGES if language == "mul" else (language,)
    sets = {code: retrieval.build_lareqa(span_items, get_realiser(code, edition)) for code in codes}
    return multilingual_pool(sets) if language == "mul" else list(sets.values())


def _as_example_set(items: list, edition: Edition) -> ExampleSet:
    return ExampleSet(items, edition.files, {}, None)
