"""The score of one prediction file against one file of gold labels."""

import re
from collections.abc import Collection, Mapping, Sequence, Sized
from itertools import chain, pairwise
from pathlib import Path

from stilts_core.errors import DataError, shown
from stilts_core.scoring.answers import score_answers
from stilts_core.scoring.bootstrap import Score, accuracy
from stilts_core.scoring.rankings import mean_average_precision, pair_f1
from stilts_core.scoring.tags import score_tags
from stilts_core.submissions.files import (
    CHOICES,
    INDEX,
    Form,
    Labels,
    form_of,
    locate_candidates,
    read_answers,
    read_candidates,
    read_gold_answers,
    read_label_file,
    read_pairs,
    read_rankings,
    read_tags,
    show_id,
)
from stilts_core.tasks.catalogue import Task

FEW_PAIRS = 20  # so many wrong sentences alone are no accident
BUCC_ID = re.compile(r"([a-z]{2,3})-[0-9]+")


def score_file(task: Task, language: str, predictions: Path, gold: Path, *, partial: bool = False) -> tuple[Score, int]:
    """The score of one language, and the number of ids without a prediction, which score 0 if `partial`.

    Raises DataError for gold without labels; if the two files do not fit together, with both lengths; for a candidate
    that the set does not have, where `write_gold` listed them; for mined pairs that share no id with the gold pairs;
    and for ids without a prediction, unless `partial`.
    """
    match form_of(task):
        case Form.LABELS:
            return _score_labels(task, predictions, gold), 0
        case Form.TAGS:
            return _score_tags(task, predictions, gold), 0
        case Form.PAIRS:
            right_pairs, pairs = read_pairs(gold), read_pairs(predictions)
            _require_gold(gold, right_pairs)
            _require_candidates(predictions, pairs, gold, right_pairs)
            _require_same_columns(predictions, pairs, gold, right_pairs)
            _require_shared_ids(predictions, pairs, gold, right_pairs)
            return pair_f1({query: set(ids) for query, ids in right_pairs.items()}, pairs), 0
        case Form.ANSWERS:
            right_answers, answers = read_gold_answers(gold), read_answers(predictions)
            _require_answers(task, gold, right_answers)
            missing = _count_missing(predictions, answers, gold, right_answers, partial)
            predicted = [answers.get(key) for key in right_answers]
            return score_answers(list(right_answers.values()), predicted, task.answer_rules, language), missing
        case Form.RANKINGS:
            right_ids, rankings = read_rankings(gold), read_rankings(predictions)
            missing = _count_missing(predictions, rankings, gold, right_ids, partial)
            _require_candidates(predictions, rankings, gold, right_ids)
            return mean_average_precision({query: set(ids) for query, ids in right_ids.items()}, rankings), missing


def _score_labels(task: Task, predictions: Path, gold: Path) -> Score:
    right, predicted = read_label_file(gold, task), read_label_file(predictions, task)
    _require_gold(gold, right.values)
    _require_equal_lengths("lines", predictions, predicted.values, gold, right.values)
    if task.family == "retrieval" and (known := read_candidates(gold)):
        for path, labels in ((gold, right), (predictions, predicted)):
            for number, index in enumerate(labels.values, start=1):
                _require_candidate(path, f"line {number}: index {index}", index, gold, known)
    elif not task.labels and task.is_target:
        count, unit = (CHOICES, "choices") if task.family == "choice" else (len(right.values), "lines")
        for path, labels in ((gold, right), (predictions, predicted)):
            _require_indices(path, labels.values, count, unit)
    return accuracy(right.values, _in_order_of_gold(predictions, predicted, gold, right))


def _require_candidates(
    predictions: Path, ranked: Mapping[str, Sequence[str]], gold: Path, right: Mapping[str, Sequence[str]]
) -> None:
    """Raises DataError for a candidate that is none of the set's, where its candidates are beside the gold file."""
    if known := read_candidates(gold):
        for path, by_query in ((gold, right), (predictions, ranked)):
            for query, ids in by_query.items():
                for key in ids:
                    _require_candidate(path, f"query {show_id(query)}: candidate {show_id(key)}", key, gold, known)


def _require_candidate(path: Path, place: str, key: str, gold: Path, known: Collection[str]) -> None:
    if key not in known:
        raise DataError(
            f"{path}, {place} is none of the {len(known)} candidates in {locate_candidates(gold)}, such as "
            f"{show_id(min(known))}; are both files of the same set?"
        )


def _require_indices(path: Path, indices: Sequence[str], count: int, unit: str) -> None:
    """Raises DataError for an index that is not below `count`, the number of lines (Tatoeba) or of choices (XCOPA)."""
    for number, index in enumerate(indices, start=1):
        if int(index) >= count:
            raise DataError(
                f"{path}, line {number}: index {index}, but there are {count} {unit}; expected 0 to {count - 1}: "
                "count from 0"
            )


def _in_order_of_gold(predictions: Path, predicted: Labels, gold: Path, right: Labels) -> list[str]:
    """The predicted labels in the order of the gold file, by id if both files have ids.

    Raises DataError if the ids differ, or if only one file has ids and they are numbers that do not ascend.
    """
    if right.ids is not None and predicted.ids is not None:
        if lacking := set(right.ids) - set(predicted.ids):
            line, key = next((line, key) for line, key in enumerate(right.ids, start=1) if key in lacking)
            raise DataError(
                f"{predictions}: no prediction for {len(lacking)} idx of {gold}, such as {show_id(key)} in its line "
                f"{line}; predict every item under its idx"
            )
        label_of = dict(zip(predicted.ids, predicted.values, strict=True))
        return [label_of[key] for key in right.ids]
    for path, other, ids in ((gold, predictions, right.ids), (predictions, gold, predicted.ids)):
        numbers = [int(key) if INDEX.fullmatch(key) else -1 for key in ids or ()]
        for line, (before, after) in enumerate(pairwise(numbers), start=2):
            if 0 <= after < before:
                raise DataError(
                    f"{path}, line {line}: idx {after} after idx {before}, but {other} has no idx, so its order is "
                    "unknown; sort the lines by idx, or write idx in both files"
                )
    return predicted.values


def _score_tags(task: Task, predictions: Path, gold: Path) -> Score:
    right, predicted = read_tags(gold, task), read_tags(predictions, task)
    _require_gold(gold, right)
    if task.metric == "f1" and {tag for tags in right for tag in tags} <= {"O"}:
        raise DataError(f"{gold}: every tag is O, so there is no entity to find; put the gold tags there")
    _require_equal_lengths("sentences", predictions, predicted, gold, right)
    for number, (right_tags, tags) in enumerate(zip(right, predicted, strict=True), start=1):
        _require_equal_lengths(f"tags in sentence {number}", predictions, tags, gold, right_tags)
    return score_tags(right, predicted)


def _require_same_columns(
    predictions: Path, pairs: Mapping[str, Sequence[str]], gold: Path, right: Mapping[str, Sequence[str]]
) -> None:
    """Raises DataError for a predicted pair whose ids are in the other columns than in the gold file.

    Either the gold file has the id in its other column, or the ids begin with a language, as BUCC's do (zh-000000057),
    and this one begins with another language than all ids of its column.
    """
    columns = set(right), {candidate for candidates in right.values() for candidate in candidates}
    languages = [set(map(_language_of_id, column)) for column in columns]
    disjoint = columns[0].isdisjoint(columns[1])
    for pair in ((query, candidate) for query, candidates in pairs.items() for candidate in candidates):
        for side, key in enumerate(pair):
            swapped = disjoint and key in columns[1 - side]
            known = len(languages[side]) == 1 and None not in languages[side]
            if swapped or (known and _language_of_id(key) not in languages[side]):
                raise DataError(
                    f"{predictions}: the pair {show_id(pair[0])}, {show_id(pair[1])} has {show_id(key)} in column "
                    f"{side + 1}, where {gold} has ids such as {show_id(min(columns[side]))}; write the columns in its "
                    "order"
                )


def _require_shared_ids(
    predictions: Path, pairs: Mapping[str, Sequence[str]], gold: Path, right: Mapping[str, Sequence[str]]
) -> None:
    """Raises DataError for predicted pairs none of whose ids is in a gold pair, as ids of another form ('zh-001').

    A few pairs are scored: a weak system may mine wrong sentences alone.
    """
    ids, right_ids = ({*by_query, *chain.from_iterable(by_query.values())} for by_query in (pairs, right))
    if len(pairs) >= FEW_PAIRS and ids.isdisjoint(right_ids):
        raise DataError(
            f"{predictions}: none of its ids, such as {show_id(min(ids))}, is in a pair of {gold}, which has ids such "
            f"as {show_id(min(right_ids))}; are both files of the same set?"
        )


def _language_of_id(key: str) -> str | None:
    """The language that a BUCC id begins with, None for an id of another form."""
    match = BUCC_ID.fullmatch(key)
    return match and match[1]


def _require_answers(task: Task, gold: Path, answers: Mapping[str, Sequence[str]]) -> None:
    """Raises DataError for gold questions without an answer, or with an empty one."""
    without = [key for key, texts in answers.items() if not (texts or task.null_answers)]
    if lacking := without + [key for key, texts in answers.items() if not all(map(str.strip, texts))]:
        raise DataError(
            f"{gold}: no answer to {len(lacking)} of {len(answers)} questions, such as {show_id(lacking[0])}; put the "
            "gold answers there (XTREME's download has removed them from its test files)"
        )


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
    """The number of ids without a prediction.

    Raises DataError if there are any, unless `partial`; if all are; and for an id that has blanks around it.
    """
    _require_gold(gold, right)
    for path, keys, others in ((predictions, predicted, right), (gold, right, predicted)):
        if blanks := [key for key in keys if key not in others and key.strip() in others]:
            raise DataError(
                f"{path}, id {shown(blanks[0])}: blanks around the id {show_id(blanks[0].strip())}; remove them"
            )
    missing = [key for key in right if key not in predicted]
    if len(missing) == len(right):
        raise DataError(
            f"{predictions}: no prediction for any of the {len(right)} ids of {gold}, such as {show_id(missing[0])}; "
            "are both files of the same set?"
        )
    if missing and not partial:
        raise DataError(
            f"{predictions}: no prediction for {len(missing)} of the {len(right)} ids of {gold}, such as "
            f"{show_id(missing[0])}; add them, or score them 0 with --partial"
        )
    return len(missing)
