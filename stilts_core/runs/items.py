"""The scores of single test items, as a record stores them: packed, because a grid has millions of them."""

import base64
import binascii

import numpy as np

from stilts_core.errors import RecordError
from stilts_core.runs.measures import PackedItems
from stilts_core.runs.record import Record


def pack_items(scores: np.ndarray) -> PackedItems:
    """Pack scores (items,) on the scale 0 to 100: one bit each if all are 0 or 100, else rounded, one byte each."""
    binary = bool(np.isin(scores, (0, 100)).all())
    stored = np.packbits(scores > 0) if binary else np.rint(scores).astype(np.uint8)
    return PackedItems(n=len(scores), binary=binary, packed=base64.b64encode(stored.tobytes()).decode("ascii"))


def item_scores(record: Record, language: str) -> np.ndarray:
    """The primary metric of every test item of a language alone, (items,) on the scale 0 to 100.

    The order is that of the test set, so two runs on one set have the same items at the same positions. In retrieval an
    item is a query: one with a right candidate or, for mined pairs, any query. A sentence with nothing to find where
    nothing was predicted counts 100. Scores between 0 and 100 are rounded to whole numbers.

    Raises RecordError where the record has no items of the language, or damaged ones.
    """
    score = record.scores.get(language)
    if score is None or score.items is None:
        raise RecordError(
            f"the record of {record.run_id} has no scores of single items in {language!r}: it is of an earlier "
            "version, or its test set is too large for recorded results; run it again"
        )
    items = score.items
    try:
        stored = np.frombuffer(base64.b64decode(items.packed, validate=True), np.uint8)
        if len(stored) != (-(-items.n // 8) if items.binary else items.n):
            raise ValueError(f"{len(stored)} bytes do not hold {items.n} items")
    except (binascii.Error, ValueError) as error:
        raise RecordError(f"the record of {record.run_id} has damaged items in {language!r} ({error})") from error
    return 100.0 * np.unpackbits(stored, count=items.n) if items.binary else stored.astype(float)
