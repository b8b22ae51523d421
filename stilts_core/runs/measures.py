"""The parts of a record that later analyses read: scores of single items and hidden states, and of languages."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
Percent = Annotated[float, Field(ge=-0.001, le=100.001)]  # 0 to 100, up to rounding
Loss = Annotated[float, Field(ge=0, le=1e30)]


class RecordMeasure(BaseModel):
    """A part of a record. The fields are part of its schema (see `record`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PackedItems(RecordMeasure):
    """The scores of `n` test items, on the scale 0 to 100: `packed` is base64 of NumPy arrays.

    `binary`: every score is 0 or 100, in one bit (`numpy.packbits`); else each is a whole number in one byte.
    """

    n: Number
    binary: bool
    packed: str


class StateScores(RecordMeasure):
    """Retrieval scores from every hidden state, by language: raw, and with centred embeddings (see `hidden_states`).

    None where it was not computed.
    """

    raw: dict[str, list[Percent | None]] = {}
    globally_centred: dict[str, list[Percent | None]] = {}
    language_centred: dict[str, list[Percent | None]] = {}


class Retrieval(RecordMeasure):
    """Retrieval from hidden states by the pretrained encoder, `before` any phase, and `after` the phases.

    The means of centring come from the texts of the test sets. `state` is the hidden state by which the target is
    scored.
    """

    state: Number
    before: StateScores
    after: StateScores


class LanguageMeasures(RecordMeasure):
    """Accuracy of a fresh linear language probe by hidden state, and masked-LM loss in nats by language.

    `mlm_loss` is empty for an encoder without an MLM head.
    """

    probe: dict[str, Percent]
    mlm_loss: dict[str, Loss]


class Languages(RecordMeasure):
    """What the encoder shows of languages `before` any phase and `after` the phases (see `language_measures`).

    `texts` counts the texts by language; `held_out`: the run trained on none of them.
    """

    texts: dict[str, Number]
    held_out: bool
    before: LanguageMeasures
    after: LanguageMeasures
