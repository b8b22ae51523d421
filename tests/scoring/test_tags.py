"""Tagging scores against seqeval, scikit-learn and a plain implementation of seqeval 0.0.12's rules."""

import random

import pytest
import seqeval.metrics
from seqeval.scheme import IOB2 as STRICT
from sklearn.metrics import accuracy_score, f1_score

from stilts_core.errors import DataError
from stilts_core.scoring.tags import score_tags
from stilts_core.sources.publishers import load
from stilts_core.tasks.catalogue import IOB2, UPOS, get_task

CHUNK_METRICS = ("f1", "precision", "recall")


def plain_chunks(tags: list[str]) -> set[tuple[str, int, int]]:
    """Chunks as (type, first, last), tag by tag: the first letter is the prefix, what follows the last '-' the type."""
    chunks, begin, prefix, kind = set(), 0, "O", ""
    for position, tag in enumerate([*tags, "O"]):
        new_prefix, new_kind = tag[0], tag.split("-")[-1]
        turned = kind != new_kind
        if prefix in "ES" or (prefix in "BI" and new_prefix in "BSO") or (prefix not in "O." and turned):
            chunks.add((kind, begin, position - 1))
        if new_prefix in "BS" or (prefix in "OES" and new_prefix in "EI") or (new_prefix not in "O." and turned):
            begin = position
        prefix, kind = new_prefix, new_kind
    return chunks


def plain_scores(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Chunk scores as XTREME computes them: sentences joined, with an outside tag after each."""
    gold_chunks, predicted_chunks = (
        plain_chunks([tag for tags in side for tag in [*tags, "O"]]) for side in (gold, predicted)
    )
    precision = len(gold_chunks & predicted_chunks) / len(predicted_chunks) if predicted_chunks else 0
    recall = len(gold_chunks & predicted_chunks) / len(gold_chunks) if gold_chunks else 0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return {"f1": 100 * f1, "precision": 100 * precision, "recall": 100 * recall}


def random_sentences(rng: random.Random, tags, noise: float, sentences: int = 40):
    gold = [rng.choices(tags, k=rng.randint(1, 12)) for _ in range(sentences)]
    return gold, [[rng.choice(tags) if rng.random() < noise else tag for tag in side] for side in gold]


@pytest.mark.parametrize(
    "tags", [IOB2, UPOS, ("O", "B-PER", "I-PER", "E-PER", "S-PER", ".", "S", "B", "X-O", "B-O", "I-a-b")]
)
def test_chunk_scores_equal_seqeval_0_0_12_on_any_tags(tags):
    rng = random.Random(0)
    for trial in range(60):
        gold, predicted = random_sentences(rng, tags, noise=trial / 60)
        oracle = plain_scores(gold, predicted)
        metrics = score_tags(gold, predicted).metrics
        assert {name: metrics[name] for name in CHUNK_METRICS} == pytest.approx(oracle)


@pytest.mark.parametrize(
    "gold, predicted, message",
    [
        ([["NOUN", "X"], ["VERB"]], [["NOUN"], ["X", "VERB"]], "sentence 1 has 2 gold and 1 predicted tags"),
        ([["NOUN"], ["VERB"]], [["NOUN"], ["VERB", "X"]], "sentence 2 has 1 gold and 2 predicted tags"),
        ([["NOUN", "X"]], [["NOUN"], ["X"]], "1 sentences have gold tags and 2 predicted ones"),
    ],
)
def test_predictions_of_other_lengths_are_an_error_that_names_the_sentence(gold, predicted, message):
    with pytest.raises(DataError, match=message):
        score_tags(gold, predicted)


def test_iob2_scores_equal_the_installed_seqeval_in_its_default_mode():
    rng = random.Random(1)
    for trial in range(30):
        gold, predicted = random_sentences(rng, IOB2, noise=(trial + 1) / 30)
        metrics = score_tags(gold, predicted).metrics
        for name in CHUNK_METRICS:
            oracle = getattr(seqeval.metrics, f"{name}_score")(gold, predicted, zero_division=0)
            assert metrics[name] == pytest.approx(100 * oracle)


def test_entity_without_its_first_tag_counts_unlike_in_strict_mode():
    gold, predicted = [["B-PER", "I-PER", "O"]], [["I-PER", "I-PER", "O"]]
    assert score_tags(gold, predicted).metrics["f1"] == 100
    assert seqeval.metrics.f1_score(gold, predicted, mode="strict", scheme=STRICT, zero_division=0) == 0


def test_accuracy_and_macro_f1_equal_scikit_learn():
    rng = random.Random(2)
    for trial in range(30):
        gold, predicted = random_sentences(rng, UPOS, noise=trial / 30, sentences=5)
        flat = [[tag for sentence in side for tag in sentence] for side in (gold, predicted)]
        metrics = score_tags(gold, predicted).metrics
        assert metrics["accuracy"] == pytest.approx(100 * accuracy_score(*flat))
        assert metrics["macro_f1"] == pytest.approx(100 * f1_score(*flat, average="macro", zero_division=0))


def test_chunks_do_not_cross_sentences():
    assert score_tags([["I-PER"], ["I-PER"]], [["I-PER"], ["O"]]).metrics["recall"] == 50


def test_scores_do_not_depend_on_the_order_of_sentences():
    gold, predicted = random_sentences(random.Random(3), IOB2, noise=0.3)
    assert score_tags(gold, predicted).metrics == pytest.approx(score_tags(gold[::-1], predicted[::-1]).metrics)


@pytest.mark.parametrize(("name", "language"), [("panx", "de"), ("panx", "zh"), ("udpos", "tr"), ("udpos", "yo")])
def test_scores_of_real_files_equal_the_plain_rules(stilts_data, name, language):
    examples = load(name, "test", language, data=stilts_data).items[:1500]
    rng = random.Random(4)
    tags = get_task(name).labels
    predictions = [tuple(rng.choice(tags) if rng.random() < 0.2 else tag for tag in e.tags) for e in examples]
    gold = [example.tags for example in examples]
    metrics = score_tags(gold, predictions).metrics
    oracle = plain_scores([list(sentence) for sentence in gold], [list(sentence) for sentence in predictions])
    assert {metric: metrics[metric] for metric in CHUNK_METRICS} == pytest.approx(oracle)
    assert score_tags(gold, gold).metrics["f1"] == 100


def test_sentence_without_gold_tags_and_empty_tag_are_errors():
    with pytest.raises(DataError, match="sentence 2 has no gold tags"):
        score_tags([["O"], []], [["O"], []])
    with pytest.raises(DataError, match="a tag is empty"):
        score_tags([["O"]], [[""]])
    with pytest.raises(DataError, match="no items to score"):
        score_tags([], [])


def test_item_of_a_sentence_is_its_own_score_and_a_sentence_without_chunks_is_right():
    gold = [["B-PER", "O"], ["O", "O"], ["O", "B-LOC"], ["O"]]
    predicted = [["B-PER", "O"], ["O", "O"], ["B-LOC", "B-LOC"], ["B-PER"]]
    score = score_tags(gold, predicted)
    assert score.by_item("f1").tolist() == [100, 100, pytest.approx(200 / 3), 0]
    assert score.by_item("accuracy").tolist() == [100, 100, 50, 0]
