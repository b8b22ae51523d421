"""Exact match and F1 of extracted answers, by the rules of SQuAD and of MLQA."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from stilts_core.scoring.bootstrap import Score

# MLQA's articles by language (Lewis et al. 2020 and their mlqa_evaluation_v1.py); Hindi and Chinese have none.
# The Arabic article is a prefix. As in MLQA's script, its letters are removed anywhere in a word.
MLQA_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
}

_HAN = re.compile("([\u4e00-\u9fa5])")


def score_answers(gold: Sequence[Sequence[str]], predicted: Sequence[str | None], rules: str, language: str) -> Score:
    """Exact match and token F1 against the best of the right answers, and their mean; the items are the questions.

    `rules` ('squad' or 'mlqa') decide which words of an answer are compared. The right prediction for a question
    without answers is the empty one (SQuAD 2). A prediction of None scores 0, as XTREME scores a missing id.
    """

    def words(text: str) -> tuple[str, ...]:
        return mlqa_words(text, language) if rules == "mlqa" else squad_words(text)

    items = [
        (0.0, 0.0) if text is None else _exact_and_f1([words(answer) for answer in answers], words(text))
        for answers, text in zip(gold, predicted, strict=True)
    ]
    return Score(np.array(items, float), _mean_of_both)


def _mean_of_both(means: np.ndarray) -> dict[str, np.ndarray]:
    exact, f1 = 100 * means[..., 0], 100 * means[..., 1]
    return {"em_f1": (exact + f1) / 2, "exact_match": exact, "f1": f1}


def _exact_and_f1(answers: list[tuple[str, ...]], words: tuple[str, ...]) -> tuple[float, float]:
    """Exact match and F1, each against its best answer. Without answers both are 1 for no words, else 0."""
    if not answers:
        return float(not words), float(not words)
    shared = [(Counter(answer) & Counter(words)).total() for answer in answers]
    f1 = [2 * n / (len(answer) + len(words)) if n else 0.0 for answer, n in zip(answers, shared, strict=True)]
    return float(words in answers), max(f1)


@lru_cache(maxsize=100_000)
def squad_words(text: str) -> tuple[str, ...]:
    """The words of an answer by the rules of SQuAD 1.1: in lower case, without ASCII punctuation and a, an, the."""
    unpunctuated = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return tuple(re.sub(MLQA_ARTICLES["en"], " ", unpunctuated).split())


@lru_cache(maxsize=100_000)
def mlqa_words(text: str, language: str) -> tuple[str, ...]:
    """The words of an answer by MLQA's rules: in lower case, without punctuation of any script and articles.

    In Chinese every character is a word.
    """
    text = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    if language in MLQA_ARTICLES:
        text = re.sub(MLQA_ARTICLES[language], " ", text)
    return tuple((_HAN.sub(r" \1 ", text) if language == "zh" else text).split())


@cache
def _is_punctuation(letter: str) -> bool:
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")
