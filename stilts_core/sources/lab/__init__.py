"""The laboratory: generated languages, and every task in them.

`load` serves the tasks of the catalogue as `stilts_core.sources.load` does those of the publishers, from a seed.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from stilts_core.catalogue import task
from stilts_core.families.examples import (
    ChoiceExample,
    PairExample,
    RetrievalSet,
    SpanExample,
    TaggingExample,
    TextExample,
)
from stilts_core.sources.lab import choices, pairs, questions, retrieval, tagging, worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.kept import kept
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.lab.realise import Realiser
from stilts_core.sources.lab.version import GENERATOR, VERSION
from stilts_core.sources.reading import DataError, Examples, NotAtHand
from stilts_core.sources.retrieval import multilingual_pool, sentence_of_answer

SIZES = {"train": 20_000, "dev": 1000, "test": 1000}
QUERIES = 300  # of a retrieval set

# How an item of a task is drawn, from dice and for a part.
MAKERS: dict[str, Callable] = {
    "anli": pairs.anli,
    "mnli": pairs.mnli,
    "qqp": pairs.qqp,
    "squad_v2": questions.squad_v2,
    "squad": questions.squad,
    "hellaswag": choices.hellaswag,
    "ccg": tagging.ccg,
    "cosmosqa": choices.cosmosqa,
    "commonsenseqa": choices.commonsenseqa,
    "socialiqa": choices.socialiqa,
    "copa": choices.copa,
    "xnli": pairs.mnli,
    "pawsx": pairs.pawsx,
    "udpos": tagging.udpos,
    "panx": tagging.panx,
    "xquad": questions.squad,
    "mlqa": questions.mlqa,
    "tydiqa": questions.tydiqa,
    "xcopa": choices.copa,
}


EXAMPLES = {"pair": PairExample, "choice": ChoiceExample, "tagging": TaggingExample, "span": SpanExample}
_OTHERS = ("tatoeba", "bucc2018", "lareqa")


def items(
    name: str, split: str, language: str = "en", *, seed: int = 0, examples: int = 0, numbers: Iterable[int] = ()
) -> list:
    """What the first `examples` items of a part mean, or those of the `numbers`, in no language.

    Item i depends on seed, part and i alone. Where a task is parallel, and in English, all languages share the items;
    elsewhere each has its own.
    """
    own = "" if task(name).parallel or language == "en" else language
    return list(_items(name, split, own, seed, tuple(numbers or range(examples))))


@lru_cache(maxsize=4)
def _items(name: str, split: str, own: str, seed: int, numbers: tuple[int, ...]) -> tuple:
    return tuple(MAKERS[name](Dice(seed, name, own, split, number), split) for number in numbers)


def load(
    name: str,
    split: str,
    language: str = "en",
    *,
    seed: int = 0,
    examples: int | None = None,
    numbers: Iterable[int] = (),
) -> Examples:
    """The examples of one part ('train', 'dev' or 'test') of a task in one language of the laboratory.

    `examples` is their number (default: SIZES), of a retrieval set that of its queries (default: QUERIES); or only
    those of the `numbers` are made, which are their ids. As with the publishers' data,
    the train and dev parts of a target are English and come from the task it is trained on; BUCC's dev part is the
    language's own; LAReQA's test part takes 'mul' for the multilingual pool.

    Raises DataError for an unknown part or language, and NotAtHand for a task that the laboratory does not have.
    """
    row = task(name)
    if split not in (parts := {"tatoeba": ("test",), "bucc2018": ("dev", "test")}.get(name, tuple(SIZES))):
        raise DataError(f"no part '{split}' of {name}; expected {' or '.join(parts)}")
    if split != "test" and row.trained_on and language != "en":
        raise DataError(f"the {split} part of {name} is English; there is none in '{language}'")
    if language not in (known := available_languages(name, split)) and (name, language) != ("lareqa", "mul"):
        raise DataError(f"{name} has no {split} part in '{language}' in the laboratory, only in {', '.join(known)}")
    count = SIZES[split] if examples is None else examples
    if split != "test" and row.trained_on not in (None, name):
        given = load(row.trained_on, split, seed=seed, examples=count, numbers=numbers).items
        return _examples([sentence_of_answer(item) for item in given] if row.family == "retrieval" else given)
    if row.family == "retrieval":
        return _examples(_retrieval_sets(name, split, language, seed, QUERIES if examples is None else examples))
    numbers = tuple(numbers or range(count))

    def made() -> list:
        said, drawn = realiser(language), items(name, split, language, seed=seed, numbers=numbers)
        return [item.example(number, said) for number, item in zip(numbers, drawn, strict=True)]

    # By its definition, not by its code, which is that of any language that is invented.
    return _examples(kept(made, EXAMPLES[row.family], VERSION, name, split, LANGUAGES[language], seed, numbers))


def checksums(name: str, split: str, language: str = "en") -> dict[str, str]:
    """The `files` of what `load` gives, without making examples: all of them come from the same generator."""
    return {GENERATOR: VERSION}


def available_languages(name: str, split: str = "test") -> tuple[str, ...]:
    """The languages of a part of a task: all of the laboratory in the test part, nearest to English first."""
    row = task(name)
    if name not in (*MAKERS, *_OTHERS):
        raise NotAtHand(f"the laboratory has no {row.title}; it has {', '.join((*MAKERS, *_OTHERS))}")
    if row.trained_on is None:
        return tuple(code for code in LANGUAGES if code != "en")
    return tuple(LANGUAGES) if split == "test" and "target" in row.roles else ("en",)


def unlabelled(language: str, *, seed: int = 0, examples: int | None = None) -> Examples:
    """Unlabelled texts of a language, of one to three sentences, no language's a translation of another's.

    `examples` is their number (default: the size of the language's pretraining text). They tell what belongs to the
    train part, so that no text that is scored occurs among them. Raises NotAtHand for a language without pretraining
    text, unless a number is given.
    """
    said = realiser(language)
    count = said.language.texts if examples is None else examples
    if not count:
        raise NotAtHand(
            f"{said.language.name} has no pretraining text: it stands for the languages that no encoder saw; say how "
            "many examples are wanted to have some all the same"
        )

    def made() -> list:
        told = (worlds.text(Dice(seed, "text", language, number)) for number in range(count))
        return [TextExample(str(number), language, said.text(*text)) for number, text in enumerate(told)]

    return _examples(kept(made, TextExample, VERSION, language, seed, count))


def text_checksums(language: str) -> dict[str, str]:
    """The `files` of what `unlabelled` gives."""
    return {GENERATOR: VERSION}


def text_languages() -> tuple[str, ...]:
    """The languages that have pretraining text."""
    return tuple(code for code, language in LANGUAGES.items() if language.texts)


@cache
def realiser(language: str) -> Realiser:
    """Who says meanings in a language; raises DataError naming the known ones."""
    if language not in LANGUAGES:
        raise DataError(f"the laboratory has no language '{language}'; it has {', '.join(LANGUAGES)}")
    return Realiser(LANGUAGES[language])


def _retrieval_sets(name: str, split: str, language: str, seed: int, count: int) -> list[RetrievalSet]:
    if name == "tatoeba":
        return [retrieval.tatoeba(seed, count, realiser("en"), realiser(language))]
    if name == "bucc2018":
        return [retrieval.bucc(seed, split, count, realiser("en"), realiser(language))]
    asked = items("xquad", "test", seed=seed, examples=count)
    codes = LANGUAGES if language == "mul" else (language,)
    sets = {code: retrieval.lareqa(asked, realiser(code)) for code in codes}
    return multilingual_pool(sets) if language == "mul" else list(sets.values())


def _examples(found: list) -> Examples:
    """What was loaded, with the checksum of what it was generated by in the place of files."""
    return Examples(found, {GENERATOR: VERSION}, {}, None)
