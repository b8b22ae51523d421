"""The parts of a record that later analyses read: scores of single items and hidden states, and of languages."""

from stilts_core.runs.record_part import Amount, Count, RecordPart, Score

RETRIEVAL_DEPTH = 14 / 24  # of the layers: the paper reads hidden state 14 of XLM-R Large's 24


def scored_state(layer: int | None, layers: int) -> int:
    """Return the hidden state (0: embeddings) that retrieval reads: `layer`, or the one at the depth of the paper's."""
    return round(layers * RETRIEVAL_DEPTH) if layer is None else layer


class PackedItems(RecordPart):
    """The scores of `n` test items, on the scale 0 to 100: `packed` is base64 of NumPy arrays.

    `binary`: every score is 0 or 100, in one bit (`numpy.packbits`); else each is a whole number in one byte.
    """

    n: Count
    binary: bool
    packed: str


class StateScores(RecordPart):
    """Retrieval scores from every hidden state, by language: raw, and with centred embeddings (see `hidden_states`).

    None where it was not computed.
    """

    raw: dict[str, list[Score | None]] = {}
    globally_centred: dict[str, list[Score | None]] = {}
    language_centred: dict[str, list[Score | None]] = {}


class Retrieval(RecordPart):
    """Retrieval from hidden states by the pretrained encoder, `before` any phase, and `after` the phases.

    The means of centring come from the texts of the test sets. `state` is the hidden state by which the target is
    scored.
    """

    state: Count
    before: StateScores
    after: StateScores


class LanguageMeasures(RecordPart):
    """Accuracy of a fresh linear language probe by hidden state, and masked-LM loss in nats by language.

    `mlm_loss` is empty for an encoder without an MLM head.
    """

    probe: dict[str, Score]
    mlm_loss: dict[str, Amount]


class Languages(RecordPart):
    """What the encoder shows of languages `before` any phase and `after` the phases (see `language_measures`).

    `texts` counts the texts by language. `held_out`: the phases read no unlabelled text, or the texts are generated
    from another seed than training's. A generated text can still equal one of training (see `language_measures.SEED`).
    """

    texts: dict[str, Count]
    held_out: bool
    before: LanguageMeasures
    after: LanguageMeasures
