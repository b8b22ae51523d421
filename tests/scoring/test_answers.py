"""Answer scores against a slow, plain implementation of the published rules of SQuAD 1.1 and MLQA."""

import random
import re
import string
import sys
import unicodedata

import pytest

from stilts_core.errors import DataError
from stilts_core.scoring.answers import mlqa_words, score_answers, squad_words
from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.examples import SpanExample

ARTICLES = {
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "hi": "",
    "vi": "của là cái chiếc những",
    "de": "ein eine einen einem eines einer der die das den dem des",
    "zh": "",
}
PUNCTUATION = {chr(i) for i in range(sys.maxunicode) if unicodedata.category(chr(i))[0] == "P"} | set(
    string.punctuation
)


def plain_words(text: str, language: str | None) -> list[str]:
    """The words that are compared: by MLQA's rules for the language, by SQuAD 1.1's rules for None."""
    marks = PUNCTUATION if language else set(string.punctuation)
    text = "".join(letter for letter in text.lower() if letter not in marks)
    if language == "ar":
        text = text.replace("ال", " ")
    for article in ARTICLES.get(language or "en", "").split():
        text = re.sub(rf"(?<!\w){article}(?!\w)", " ", text)
    if language == "zh":
        text = "".join(f" {letter} " if "\u4e00" <= letter <= "\u9fa5" else letter for letter in text)
    return text.split()


def plain_f1(prediction: list[str], answer: list[str]) -> float:
    left, same = list(answer), 0
    for word in prediction:
        if word in left:
            left.remove(word)
            same += 1
    if not same:
        return 0.0
    precision, recall = same / len(prediction), same / len(answer)
    return 2 * precision * recall / (precision + recall)


def plain_scores(gold, predicted, language: str | None) -> dict[str, float]:
    """Means over questions of the best match with any right answer."""
    exact = f1 = 0.0
    for answers, text in zip(gold, predicted, strict=True):
        words = plain_words(text, language)
        exact += max(plain_words(answer, language) == words for answer in answers)
        f1 += max(plain_f1(words, plain_words(answer, language)) for answer in answers)
    exact, f1 = 100 * exact / len(gold), 100 * f1 / len(gold)
    return {"exact_match": exact, "f1": f1, "em_f1": (exact + f1) / 2}


def imperfect_answer(rng: random.Random, example: SpanExample) -> str:
    """An answer as a model might predict it: right, shifted by some characters, in other case, or elsewhere."""
    start, text = example.answers[0]
    low, high = max(start + rng.randint(-9, 9), 0), start + len(text) + rng.randint(-9, 12)
    return rng.choice([text, text.upper(), f"the {text}.", example.context[low:high], example.context[:20]])


@pytest.mark.parametrize("name", ["mlqa", "xquad", "tydiqa"])
def test_scores_of_real_answers_equal_the_plain_rules_in_every_language(stilts_data, name):
    rng = random.Random(0)
    for language in available_languages(name, data=stilts_data):
        examples = load(name, "test", language, data=stilts_data).items[:500]
        predictions = [imperfect_answer(rng, example) for example in examples]
        gold = [[text for _, text in example.answers] for example in examples]
        rules = "mlqa" if name == "mlqa" else "squad"
        score = score_answers(gold, predictions, rules, language)
        assert score.n == len(examples)
        assert score.metrics == pytest.approx(plain_scores(gold, predictions, language if rules == "mlqa" else None))
        assert 10 < score.metrics["exact_match"] < score.metrics["f1"] < 99


@pytest.mark.parametrize(
    ("language", "prediction", "answer"),
    [
        ("en", "The Bridge", "bridge"),
        ("es", "el puente viejo", "Puente viejo"),
        ("de", "der alten Brücke", "alten Brücke!"),
        ("vi", "những cây cầu", "cây cầu"),
        ("ar", "النهر الكبير", "نهر كبير"),
        ("hi", "पुराना पुल।", "पुराना पुल"),
        ("zh", "《老桥》", "老桥"),
        ("en", "«bridge»…", "bridge"),
    ],
)
def test_mlqa_removes_articles_and_punctuation_of_the_language(language, prediction, answer):
    assert mlqa_words(prediction, language) == mlqa_words(answer, language)


def test_squad_rules_remove_only_english_articles_and_ascii_punctuation():
    assert squad_words("The bridge.") == squad_words("bridge")
    assert squad_words("der Fluss") != squad_words("Fluss")
    assert squad_words("«Fluss»") != squad_words("Fluss")


def test_chinese_is_compared_by_character_and_the_rest_by_word():
    assert mlqa_words("老桥建于 1871年 Main Street", "zh") == (
        *("老", "桥", "建", "于", "1871", "年", "main", "street"),
    )
    half = score_answers([["老桥"]], ["老路"], "mlqa", "zh").metrics
    assert (half["exact_match"], half["f1"]) == (0, 50)
    assert score_answers([["老桥"]], ["老路"], "squad", "zh").metrics["f1"] == 0


def test_article_within_a_word_stays():
    assert mlqa_words("Theater anders lassen", "en") == ("theater", "anders", "lassen")


def test_each_metric_counts_its_best_answer():
    metrics = score_answers([["one two three", "four"]], ["four two three"], "squad", "en").metrics
    assert metrics["f1"] == pytest.approx(100 * 2 / 3)
    assert score_answers([["wrong", "right"]], ["Right!"], "squad", "en").metrics["em_f1"] == 100


def test_prediction_for_a_question_without_answers_is_right_iff_it_is_empty():
    gold = [[], [], ["river"], ["river"]]
    metrics = score_answers(gold, ["", "river", "", "river"], "squad", "en").metrics
    assert (metrics["exact_match"], metrics["f1"]) == (50, 50)


def test_missing_prediction_scores_zero_even_for_a_question_without_answers():
    assert score_answers([[], ["river"]], [None, None], "squad", "en").metrics["em_f1"] == 0


def test_answer_of_articles_only_matches_exactly_with_an_f1_of_zero_as_in_squad_1():
    metrics = score_answers([["The"]], ["a"], "squad", "en").metrics
    assert (metrics["exact_match"], metrics["f1"]) == (100, 0)


def test_no_questions_have_no_score():
    with pytest.raises(DataError, match="no items to score"):
        score_answers([], [], "squad", "en")
