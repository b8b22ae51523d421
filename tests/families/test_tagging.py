import numpy as np
import pytest
from peer import assert_same_step, inputs, peer, whole_batch
from toy import make_examples, make_features, make_setting
from transformers import AutoModelForTokenClassification

from stilts_core.families import tagging
from stilts_core.families.features import IGNORE, Features, Truncation
from stilts_core.tasks.examples import TaggingExample

TAGS = ("A", "B", "C", "D")


def sentence(*words: str, tags=None) -> TaggingExample:
    return TaggingExample("0", "en", words, tags or ("A",) * len(words), "0")


def tagged_positions(features: Features) -> list[list[int]]:
    """The positions in each sequence that have a tag."""
    rows = np.split(features.token_targets["tag"], features.starts[1:-1])
    return [np.flatnonzero(row != IGNORE).tolist() for row in rows]


def test_loss_and_gradients_equal_transformers(encoder):
    setting = make_setting("udpos")
    head, batch = tagging.new_head(encoder, setting), whole_batch(make_features(encoder, "udpos", 8), encoder)
    layers = {"classifier": "classifier"}
    model = peer(AutoModelForTokenClassification, encoder, head, layers, num_labels=len(setting.labels))
    loss = model(**inputs(batch), labels=batch.token_targets["tag"]).loss
    assert_same_step(encoder, head, batch, model, loss, layers)


def test_tag_is_the_target_of_the_first_sub_word_that_is_not_the_bare_mark(xlmr_tokenizer):
    words = ["蜘蛛", "Brücke", "a", "夜", "2"]
    features = tagging.make_features([sentence(*words)], xlmr_tokenizer, make_setting("udpos", labels=TAGS))
    ids, start = features.ids.tolist(), 1
    (positions,) = tagged_positions(features)
    for split, position in zip(xlmr_tokenizer.encode_words([words])[0], positions, strict=True):
        offset = next((i for i, piece in enumerate(split) if piece != xlmr_tokenizer.blank), 0)
        assert position == start + offset and ids[position] == split[offset]
        start += len(split)
    assert positions[0] == 2 and ids[1] == xlmr_tokenizer.blank  # "蜘蛛" begins with the bare mark


def test_word_that_the_tokenizer_removes_still_gets_its_tag(xlmr_tokenizer):
    example = sentence("a", "\u200b", "b", tags=("A", "B", "C"))
    features = tagging.make_features([example], xlmr_tokenizer, make_setting("udpos", labels=TAGS))
    ((*_, position, _),) = tagged_positions(features)
    assert features.ids[position] == xlmr_tokenizer.unk
    tags = features.token_targets["tag"]
    assert tags[tags != IGNORE].tolist() == [0, 1, 2]


@pytest.mark.parametrize("max_length", [8, 16, 256])
def test_every_word_of_a_sentence_of_any_length_gets_one_tag(tokenizer, max_length):
    rng = np.random.default_rng(0)
    examples = [
        TaggingExample(str(i), "en", (words := example.words * 3), tuple(rng.choice(TAGS, len(words)).tolist()), "")
        for i, example in enumerate(make_examples("udpos", 30))
    ]
    setting = make_setting("udpos", labels=TAGS, max_length=max_length)
    features = tagging.make_features(examples, tokenizer, setting)
    assert features.lengths.max() <= max_length
    sequences = np.bincount(features.example)
    assert features.truncation == Truncation(inputs=30, split=(sequences > 1).sum())
    assert len(features.ids) == sum(
        len(piece) for e in examples for piece in tokenizer.encode_words([e.words])[0]
    ) + tokenizer.single_overhead * len(features)
    outputs = features.token_targets["tag"][:, None].astype(np.float32)
    assert tagging.decode(outputs, features, examples, setting) == [example.tags for example in examples]


def test_words_longer_than_a_sequence_are_shortened_and_their_sentence_is_counted_once(tokenizer):
    example = sentence("old", "bridge" * 15, "river" * 15, tags=("A", "B", "C"))
    whole, shortened = (
        tagging.make_features([example], tokenizer, make_setting("udpos", labels=TAGS, max_length=n)) for n in (256, 9)
    )
    tags = shortened.token_targets["tag"]
    assert tags[tags != IGNORE].tolist() == [0, 1, 2]
    assert shortened.truncation.cut == 1
    specials = tokenizer.single_overhead * (len(shortened) - 1)
    assert len(shortened.ids) - specials + shortened.truncation.tokens_lost == len(whole.ids)


def test_sentences_without_tags_are_predicted(tokenizer):
    examples = [TaggingExample("0", "de", ("alte", "Brücke"), None, "0"), TaggingExample("1", "de", (), None, "1")]
    setting = make_setting("udpos", labels=TAGS)
    features = tagging.make_features(examples, tokenizer, setting)
    outputs = np.full((len(features.ids), 1), 3.0)
    assert tagging.decode(outputs, features, examples, setting) == [("D", "D"), ()]


def test_mistakes_show_the_words_whose_tags_differ():
    example = sentence("the", "old", "bridge", tags=("A", "B", "C"))
    (mistake,) = tagging.mistakes([example, example], [("A", "B", "C"), ("A", "D", "C")])
    assert mistake == ("0", {"sentence": "the old bridge"}, "old/B", "old/D")
