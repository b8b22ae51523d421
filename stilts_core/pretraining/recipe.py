"""What decides a pretrained laboratory encoder: its recipe, its seed, and the version of the text generator."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.errors import ConfigError, shown
from stilts_core.laboratory import generator
from stilts_core.laboratory.edition import FIRST, Edition
from stilts_core.laboratory.language.design import CODES, LabLanguage, redraw
from stilts_core.parameters import LARGEST_SEED
from stilts_core.storage.cache import cache_folder

SPECIAL_TOKENS_ADDED = (2, 3)  # to one text and to two texts: <s> a </s>, <s> a </s> b </s>
WEIGHTS_VERSION = 1  # raise it when the same recipe, seed and text give other weights


@dataclass(frozen=True)
class PretrainingRecipe:
    """Sizes and schedule of the encoder. The field names are part of its identity.

    `pieces` is the size of the vocabulary. `deviation` is the standard deviation of the initial weights, and
    `deviation_of_embeddings` that of the initial embeddings. `texts` is the share of each language's text that is used,
    `masked` the share of sub-words to predict. The encoder is measured in all `languages`, and trained on the languages
    among them that have text. `mixed` is the share of texts with a sentence in English and `retold` that of texts whose
    sentences must be compared (see `generator.unlabelled`), `precision` that of training, and `edition` the edition
    whose languages the encoder learns. `family` begins the encoder's name, and decides nothing else.
    """

    pieces: int = 2500
    layers: int = 3
    hidden_size: int = 64
    heads: int = 4
    feed_forward: int = 128
    positions: int = 256
    deviation: float = 0.06
    deviation_of_embeddings: float = 0.1
    epochs: float = 3.0
    batch_size: int = 32
    lr: float = 3e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    texts: float = 1.0
    masked: float = 0.2
    languages: tuple[str, ...] = CODES
    mixed: float = 0.0
    retold: float = 0.0
    precision: str = "fp32"
    edition: Edition = FIRST
    family: str = "lab"

    @property
    def languages_with_text(self) -> list[str]:
        """The languages that have pretraining text."""
        return [code for code in self.languages if self.count_texts(code)]

    def count_texts(self, code: str) -> int:
        """The number of texts of a language that the encoder is trained on."""
        return round(_find_language(code).texts * self.texts)


def _find_language(code: str) -> LabLanguage:
    """The language with a code. Raises ConfigError if nobody has invented it."""
    if code not in generator.LANGUAGES:
        known = ", ".join(generator.LANGUAGES)
        raise ConfigError(f"languages has {shown(code)}; choose among {known}, or invent it first")
    return generator.LANGUAGES[code]


RECIPE = PretrainingRecipe()
# The studies' encoder. Its parts were measured in phases of 8.7 M, 2.9 M and 6.1 M sub-words, the first one without
# `retold` (LOG.md); as one phase of 20.7 M sub-words it pretrained lab-wide-2, -3 and -4.
WIDE = PretrainingRecipe(
    layers=4, hidden_size=128, feed_forward=512, epochs=2.0, batch_size=64, lr=2e-3, texts=4.0, mixed=0.35,
    retold=0.5, precision="bf16", family="lab-wide",
)  # fmt: skip
LATER_FIELDS = ("mixed", "retold", "precision")  # they count only where they differ: earlier encoders keep their names


def parse_lab_encoder(name: str) -> tuple[int, PretrainingRecipe] | None:
    """The pretraining seed and the recipe of a laboratory encoder by its name; None for another encoder.

    'lab' and 'lab-wide' have seed 0, 'lab-N' and 'lab-wide-N' seed N. Raises ConfigError for a seed that is too large.
    """
    match = re.fullmatch(r"(lab|lab-wide)(?:-([0-9]+))?", name)
    if not match:
        return None
    if len(digits := match[2] or "0") > len(str(LARGEST_SEED)) - 1:
        raise ConfigError(
            f"encoder is '{match[1]}-{digits[:20]}…'; its seed must have fewer digits than {LARGEST_SEED}"
        )
    return int(digits), lab_recipe(match[1], int(digits))


def lab_recipe(family: str, seed: int) -> PretrainingRecipe:
    """The recipe of a family of encoders: 'lab' or 'lab-wide'.

    All encoders of 'lab' belong to the first edition. In 'lab-wide' the seed is also the draw of the edition's words,
    so that a result over several encoders is one over several lexicons. Tagging is harder there.
    """
    return RECIPE if family == RECIPE.family else replace(WIDE, edition=Edition(draw=seed, doubtful_tags=True))


def lab_identity(seed: int, recipe: PretrainingRecipe = RECIPE) -> str:
    """The SHA-256 of everything that decides the encoder. It is known before the encoder is pretrained."""
    facts = {"format": WEIGHTS_VERSION, "seed": seed, "recipe": _deciding(recipe), "generator": generator.VERSION}
    # The generator's version covers neither the draw nor languages that were invented later.
    languages = [redraw(_find_language(code), recipe.edition.draw) for code in recipe.languages]
    facts |= {"languages": [_describe_language(language) for language in languages]}
    if deviation := find_deviation():  # the kernels round differently from PyTorch's operations
        facts |= {"kernels": deviation}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


@lru_cache(maxsize=256)
def _describe_language(language: LabLanguage) -> dict:
    # The plan of a sweep asks for an identity several times a run: 6 ms each time without this cache, 1 ms with it.
    return asdict(language)


def _deciding(recipe: PretrainingRecipe) -> dict:
    """The fields of a recipe that decide an encoder; its edition counts through the languages."""
    values = asdict(recipe)
    defaults = {field.name: field.default for field in fields(recipe) if field.name in LATER_FIELDS}
    unused = {"family", "edition"} | {name for name, default in defaults.items() if values[name] == default}
    return {name: value for name, value in values.items() if name not in unused}


def locate_lab_encoder(seed: int = 0, recipe: PretrainingRecipe = RECIPE) -> Path:
    """The folder where `pretrain_lab_encoder` puts the encoder; it may not exist yet."""
    return cache_folder() / "encoders" / f"{recipe.family}-{lab_identity(seed, recipe)[:16]}"
