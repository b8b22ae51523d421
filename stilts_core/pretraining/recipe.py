"""What decides a pretrained laboratory encoder: its recipe, its seed, and the version of the text generator."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.errors import ConfigError
from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import CODES, LabLanguage
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
    among them that have text.
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

    @property
    def languages_with_text(self) -> list[str]:
        """The languages that have pretraining text."""
        return [code for code in self.languages if self.count_texts(code)]

    def count_texts(self, code: str) -> int:
        """The number of texts of a language that the encoder is trained on."""
        return round(generator.LANGUAGES[code].texts * self.texts)


RECIPE = PretrainingRecipe()


def pretraining_seed(name: str) -> int | None:
    """The seed of a laboratory encoder with the name 'lab' (seed 0) or 'lab-N'; None for another encoder.

    Raises ConfigError for a seed that is too large.
    """
    match = re.fullmatch(r"lab(?:-([0-9]+))?", name)
    if match and len(digits := match[1] or "0") > len(str(LARGEST_SEED)) - 1:
        raise ConfigError(f"encoder is 'lab-{digits[:20]}…'; its seed must have fewer digits than {LARGEST_SEED}")
    return int(match[1] or 0) if match else None


def lab_identity(seed: int, recipe: PretrainingRecipe = RECIPE) -> str:
    """The SHA-256 of everything that decides the encoder. It is known before the encoder is pretrained."""
    facts = {"format": WEIGHTS_VERSION, "seed": seed, "recipe": asdict(recipe), "generator": generator.VERSION}
    # The generator's version does not cover languages that were invented later.
    facts |= {"languages": [_describe_language(generator.LANGUAGES[code]) for code in recipe.languages]}
    if deviation := find_deviation():  # the kernels round differently from PyTorch's operations
        facts |= {"kernels": deviation}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


@lru_cache(maxsize=256)
def _describe_language(language: LabLanguage) -> dict:
    # The plan of a sweep asks for an identity several times a run: 6 ms each time without this cache, 1 ms with it.
    return asdict(language)


def locate_lab_encoder(seed: int = 0, recipe: PretrainingRecipe = RECIPE) -> Path:
    """The folder where `pretrain_lab_encoder` puts the encoder; it may not exist yet."""
    return cache_folder() / "encoders" / f"lab-{lab_identity(seed, recipe)[:16]}"
