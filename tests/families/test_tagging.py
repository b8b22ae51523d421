import numpy as np
import pytest
from peer import assert_same_step, inputs, peer, whole_batch
from toy import examples, features, setting
from transformers import AutoModelForTokenClassification

from stilts_core.batching import IGNORE, Cut
from stilts_core.families import tagging
from stilts_core.families.tagging import TaggingExample

TAGS = ("A", "B", "C", "D")


def sentence(*words: str, tags=None) -> TaggingExample:
    return TaggingExample("0", "en", words, tags or ("A",) * len(words), "0")


def labelled(columns) -> list[list[int]]:
    """The positions in each sequence that carry a tag."""
    rows = np.split(columns.token_targets["tag"], columns.starts[1:-1])
    return [np.flatnonzero(row != IGNORE).tolist() for row in rows]


def test_loss_and_gradients_are_those_of_transformers(encoder):
    chosen = setting("udpos")
    head, batch = tagging.head(encoder, chosen), whole_batch(features(encoder, "udpos", 8), encoder)
    layers = {"classifier": "classifier"}
    theirs = peer(AutoModelForTokenClassification, encoder, head, layers, num_labels=len(chosen.labels))
    loss = theirs(**inputs(batch), labels=batch.token_targets["tag"]).loss
    assert_same_step(encoder, head, batch, theirs, loss, layers)


def test_tag_stands_on_the_first_sub_word_that_is_not_the_bare_mark(pieces):
    words = ["蜘蛛", "Brücke", "a", "夜", "2"]
    columns = tagging.features([sentence(*words)], pieces, setting("udpos", labels=TAGS))
    ids, start = columns.ids.tolist(), 1
    (positions,) = labelled(columns)
    for split, position in zip(pieces.encode_words([words])[0], positions, strict=True):
        wanted = next((i for i, piece in enumerate(split) if piece != pieces.blank), 0)
        assert position == start + wanted and ids[position] == split[wanted]
        start += len(split)
    assert positions[0] == 2 and ids[1] == pieces.blank  # "蜘蛛" begins with the bare mark


def test_word_that_the_tokenizer_removes_still_gets_its_tag(pieces):
    example = sentence("a", "\u200b", "b", tags=("A", "B", "C"))
    columns = tagging.features([example], pieces, setting("udpos", labels=TAGS))
    ((*_, position, _),) = labelled(columns)
    assert columns.ids[position] == pieces.unk
    tags = columns.token_targets["tag"]
    assert tags[tags != IGNORE].tolist() == [0, 1, 2]


@pytest.mark.parametrize("max_length", [8, 16, 256])
def test_every_word_gets_one_tag_however_long_its_sentence_is(tokens, max_length):
    rng = np.random.default_rng(0)
    given = [
        TaggingExample(str(i), "en", (words := example.words * 3), tuple(rng.choice(TAGS, len(words)).tolist()), "")
        for i, example in enumerate(examples("udpos", 30))
    ]
    chosen = setting("udpos", labels=TAGS, max_length=max_length)
    columns = tagging.features(given, tokens, chosen)
    assert columns.lengths.max() <= max_length
    sequences = np.bincount(columns.example)
    assert columns.cut == Cut(inputs=30, split=(sequences > 1).sum())
    assert len(columns.ids) == sum(
        len(piece) for e in given for piece in tokens.encode_words([e.words])[0]
    ) + tokens.single_overhead * len(columns)
    outputs = columns.token_targets["tag"][:, None].astype(np.float32)
    assert tagging.decode(outputs, columns, given, chosen) == [example.tags for example in given]


def test_word_longer_than_a_sequence_is_cut_and_counted(tokens):
    example = sentence("old", "bridge" * 15, "river", tags=("A", "B", "C"))
    whole, cut = (tagging.features([example], tokens, setting("udpos", labels=TAGS, max_length=n)) for n in (256, 9))
    tags = cut.token_targets["tag"]
    assert tags[tags != IGNORE].tolist() == [0, 1, 2]
    assert cut.cut.cut == 1
    specials = tokens.single_overhead * (len(cut) - 1)
    assert len(cut.ids) - specials + cut.cut.tokens_lost == len(whole.ids)


def test_sentences_without_tags_are_predicted_all_the_same(tokens):
    given = [TaggingExample("0", "de", ("alte", "Brücke"), None, "0"), TaggingExample("1", "de", (), None, "1")]
    chosen = setting("udpos", labels=TAGS)
    columns = tagging.features(given, tokens, chosen)
    outputs = np.full((len(columns.ids), 1), 3.0)
    assert tagging.decode(outputs, columns, given, chosen) == [("D", "D"), ()]


def test_mistakes_show_the_words_whose_tags_differ():
    example = sentence("the", "old", "bridge", tags=("A", "B", "C"))
    (mistake,) = tagging.mistakes([example, example], [("A", "B", "C"), ("A", "D", "C")])
    assert mistake == ("0", {"sentence": "the old bridge"}, "old/B", "old/D")
