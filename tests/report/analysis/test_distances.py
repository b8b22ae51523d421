from math import log10

import pytest

from stilts_core.config import LABORATORY, PUBLISHERS
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.distances import (
    distance_to_english,
    format_size,
    log_size,
    pretraining_size,
    sort_by_distance,
)
from stilts_core.tasks.languages import get_language, languages


def test_languages_are_sorted_by_distance_with_english_first():
    codes = sort_by_distance(["zh", "sw", "en", "de"])
    assert codes[0] == "en" and [distance_to_english(code) for code in codes[1:]] == sorted(
        distance_to_english(code) for code in codes[1:]
    )


def test_languages_of_equal_distance_are_sorted_by_code():
    equal = [code for code in LANGUAGES if distance_to_english(code) == distance_to_english("qpa")]
    assert len(equal) > 1 and sort_by_distance(reversed(equal)) == sorted(equal)


def test_size_counts_texts_in_the_laboratory_and_mebibytes_elsewhere():
    assert pretraining_size("en", LABORATORY) == LANGUAGES["en"].texts
    assert pretraining_size("en", PUBLISHERS) == 1024 * get_language("en").cc100_gib
    assert format_size("en", LABORATORY) == f"{LANGUAGES['en'].texts:,}"
    assert format_size("en", PUBLISHERS) == f"{get_language('en').cc100_gib:g}"


@pytest.mark.parametrize(
    "source, unseen",
    [
        (LABORATORY, next(code for code, language in LANGUAGES.items() if language.texts == 0)),
        (PUBLISHERS, next(code for code, language in languages().items() if language.cc100_gib == 0)),
    ],
)
def test_log_size_of_an_unseen_language_is_zero(source, unseen):
    assert pretraining_size(unseen, source) == log_size(unseen, source) == 0
    assert log_size("en", source) == log10(1 + pretraining_size("en", source))
