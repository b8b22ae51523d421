"""The score of one prediction file against one file of gold labels."""

from collections.abc import Collection, Mapping, Sized
from pathlib import Path

from stilts_core.errors import DataError
from stilts_core.scoring.answers import score_answers
from stilts_core.scoring.bootstrap import Score, accuracy
from stilts_core.scoring.rankings import mean_average_precision, pair_f1
from stilts_core.scoring.tags import score_tags
from stilts_core.submissions.files import (
    Form,
    form_of,
    read_answers,
    read_gold_answers,
    read_labels,
    read_pairs,
    read_rankings,
    read_tags,
)
from stilts_core.tasks.catalogue import Task


def score_file(task: Task, language: str, predictions: Path, gold: Path, *, partial: bool = False) -> tuple[Score, int]:
    """The score of one language, and the number of ids without a prediction, which score 0 if `partial`.

    Raises DataError if the two files do not fit together, with both lengths; and for ids without a prediction, unless
    `partial`.
    """
    match form_of(task):
        case Form.LABELS:
            return _score_labels(task, predictions, gold), 0
        case Form.TAGS:
            return _score_tags(task, predictions, gold), 0
        case Form.PAIRS:
            right_pairs, pairs = read_pairs(gold), read_pairs(predictions)
            _require_gold(gold, right_pairs)
            return pair_f1({query: set(ids) for query, ids in right_pairs.items()}, pairs), 0
        case Form.ANSWERS:
            right_answers, answers = read_gold_answers(gold), read_answers(predictions)
            missing = _count_missing(predictions, answers, gold, right_answers, partial)
            predicted = [answers.get(key) for key in right_answers]
            return score_answers(list(right_answers.values()), predicted, task.answer_rules, language), missing
        case Form.RANKINGS:
            right_ids, rankings = read_rankings(gold), read_rankings(predictions)
            missing = _count_missing(predictions, rankings, gold, right_ids, partial)
            return mean_average_precision({query: set(ids) for query, ids in right_ids.items()}, rankings), missing


def _score_labels(task: Task, predictions: Path, gold: Path) -> Score:
    right, predicted = read_labels(gold, task), read_labels(predictions, task)
    _require_gold(gold, right)
    _require_equal_lengths("lines", predictions, predicted, gold, right)
    return accuracy(right, predicted)


def _score_tags(task: Task, predictions: Path, gold: Path) -> Score:
    right, predicted = read_tags(gold, task), read_tags(predictions, task)
    _require_gold(gold, right)
    _require_equal_lengths("sentences", predictions, predicted, gold, right)
    for number, (right_tags, tags) in enumerate(zip(right, predicted, strict=True), start=1):
        _require_equal_lengths(f"tags in sentence {number}", predictions, tags, gold, right_tags)
    return score_tags(right, predicted)


def _require_gold(gold: Path, content: Sized) -> None:
    if not content:
        raise DataError(f"{gold}: empty; put the gold labels there")


def _require_equal_lengths(unit: str, predictions: Path, predicted: Sized, gold: Path, right: Sized) -> None:
    if len(predicted) != len(right):
        raise DataError(
            f"{predictions}: {len(predicted)} {unit}, but {len(right)} in {gold}; predict every item, in its order"
        )


def _count_missing(
    predictions: Path, predicted: Mapping[str, object], gold: Path, right: Collection[str], partial: bool
) -> int:
    """The number of ids without a prediction. Raises DataError if there are any, unless `partial`."""
    _require_gold(gold, right)
    missing = [key for key in right if key not in predicted]
    if missing and not partial:
        raise DataError(
            f"{predictions}: no prediction for {len(missing)} of the {len(right)} ids of {gold}, such as {missing[0]}; "
            "add them, or score them 0 with --partial"
        )
    return len(missing)
