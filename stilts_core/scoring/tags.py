"""Scores of tag sequences: token accuracy, macro F1, and chunk F1 as seqeval 0.0.12 computes it."""

from collections.abc import Sequence

import numpy as np

from stilts_core.errors import DataError
from stilts_core.scoring.bootstrap import Score, f1_precision_recall, percent


def score_tags(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Score:
    """Token accuracy, macro F1 over tags, and chunk F1, precision and recall; the items are the sentences.

    Chunks are found as in seqeval 0.0.12, which computed XTREME's published scores; on IOB2 tags seqeval 1.2.2 finds
    the same ones. On part-of-speech tags, which have no prefix, a chunk is a run of equal tags. There are exceptions:
    seqeval takes the first letter of a tag for its prefix if it is B, I, E, S or O.

    Raises DataError for a sentence without gold tags, for one that has another number of predicted tags, and for an
    empty tag.
    """
    if not gold:
        raise DataError("no items to score; expected at least one sentence with gold tags")
    if not all(gold):
        number = next(number for number, tags in enumerate(gold, start=1) if not tags)
        raise DataError(f"sentence {number} has no gold tags; only tagged sentences can be scored")
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} sentences have gold tags and {len(predicted)} predicted ones; predict all")
    for number, (own, guessed) in enumerate(zip(gold, predicted, strict=True), start=1):
        if len(own) != len(guessed):
            raise DataError(
                f"sentence {number} has {len(own)} gold and {len(guessed)} predicted tags; predict one for each word"
            )
    names = sorted({tag for sentence in (*gold, *predicted) for tag in sentence} | {"O"})
    if "" in names:
        raise DataError("a tag is empty; every word needs a tag")
    number_of = {name: number for number, name in enumerate(names)}
    ends = np.cumsum([len(sentence) + 1 for sentence in gold])  # each sentence is followed by an outside tag
    gold_tags, predicted_tags = (
        np.fromiter((number_of[tag] for sentence in side for tag in (*sentence, "O")), np.intp, ends[-1])
        for side in (gold, predicted)
    )
    sentence_of = np.repeat(np.arange(len(gold)), np.diff(ends, prepend=0))
    is_token = np.ones(len(sentence_of), bool)
    is_token[ends - 1] = False

    def count_by_sentence(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(sentence_of[chosen], minlength=len(gold))

    def count_by_tag(tags: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        cells = sentence_of[chosen] * len(names) + tags[chosen]
        return np.bincount(cells, minlength=len(gold) * len(names)).reshape(len(gold), -1)

    gold_ends, gold_begins = _chunks(gold_tags, names)
    predicted_ends, predicted_begins = _chunks(predicted_tags, names)
    types = _types(names)
    equal_types = types[gold_tags] == types[predicted_tags]
    equal_chunks = gold_ends & predicted_ends & (gold_begins == predicted_begins) & equal_types
    equal_tags = is_token & (gold_tags == predicted_tags)
    counts = [count_by_sentence(chosen) for chosen in (equal_tags, is_token, equal_chunks, predicted_ends, gold_ends)]
    counts_by_tag = [
        count_by_tag(gold_tags, equal_tags),
        count_by_tag(predicted_tags, is_token),
        count_by_tag(gold_tags, is_token),
    ]
    *_, predicted_chunks, gold_chunks = counts
    vacuous = predicted_chunks + gold_chunks == 0
    return Score(np.concatenate([np.stack(counts, axis=1), *counts_by_tag], axis=1), _tag_metrics, vacuous)


def _tag_metrics(means: np.ndarray) -> dict[str, np.ndarray]:
    """From five counts (equal tags, tokens, equal, predicted and gold chunks), then equal, predicted, gold by tag."""
    equal_tags, tokens, *chunks = np.moveaxis(means[..., :5], -1, 0)
    equal, predicted, gold = np.moveaxis(means[..., 5:].reshape(*means.shape[:-1], 3, -1), -2, 0)
    occurs = predicted + gold > 0
    f1_by_tag = f1_precision_recall(equal, predicted, gold)["f1"]
    return {
        **f1_precision_recall(*chunks),
        "accuracy": percent(equal_tags, tokens),
        "macro_f1": f1_by_tag.sum(axis=-1) / occurs.sum(axis=-1),
    }


def _types(names: list[str]) -> np.ndarray:
    """The chunk type of each tag as a number: the part after its last hyphen, or the whole tag."""
    return np.unique([name.rsplit("-", 1)[-1] for name in names], return_inverse=True)[1]


def _chunks(tags: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """For each position, whether a chunk ends there (inclusive), and where the latest chunk began.

    The rules of seqeval 0.0.12: the first letter of a tag is its prefix B, I, E, S or O (outside); '.' means outside as
    well. Any other letter, as in NOUN, continues the chunk as long as the type stays the same.
    """
    prefix, types = np.array([name[0] for name in names]), _types(names)
    before, after = np.meshgrid(prefix, prefix, indexing="ij")
    type_changes = types[:, None] != types
    ends = (
        np.isin(before, ["E", "S"])
        | np.isin(before, ["B", "I"]) & np.isin(after, ["B", "S", "O"])
        | ~np.isin(before, ["O", "."]) & type_changes
    )
    begins = (
        np.isin(after, ["B", "S"])
        | np.isin(before, ["O", "E", "S"]) & np.isin(after, ["E", "I"])
        | ~np.isin(after, ["O", "."]) & type_changes
    )
    outside = names.index("O")
    previous, following = np.append(outside, tags[:-1]), np.append(tags[1:], outside)
    latest_begin = np.maximum.accumulate(np.where(begins[previous, tags], np.arange(len(tags)), 0))
    return ends[tags, following], latest_begin
