import numpy as np
import pytest
from peer import assert_same_step, inputs, peer, whole_batch
from toy import examples, features, setting
from transformers import AutoModelForSequenceClassification

from stilts_core.batching import IGNORE, Cut
from stilts_core.families import pair
from stilts_core.families.pair import fit_pair

LAYERS = {
    "xlm-roberta": {"dense": "classifier.dense", "classifier": "classifier.out_proj"},
    "bert": {"dense": "bert.pooler.dense", "classifier": "classifier"},
}


def test_loss_and_gradients_are_those_of_transformers(encoder):
    head, batch = pair.head(encoder, setting("mnli")), whole_batch(features(encoder, "mnli", 8), encoder)
    layers = LAYERS[encoder.kind]
    theirs = peer(AutoModelForSequenceClassification, encoder, head, layers, num_labels=3)
    loss = theirs(**inputs(batch), labels=batch.targets["label"]).loss
    assert_same_step(encoder, head, batch, theirs, loss, layers)


def test_input_is_the_pair_as_the_tokenizer_encodes_it(tokens):
    given = examples("mnli", 5)
    columns = pair.features(given, tokens, setting("mnli"))
    expected = tokens.encode([e.text_a for e in given], [e.text_b for e in given])
    assert columns.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert columns.types.tolist() == [kind for encoding in expected for kind in encoding.type_ids]
    assert columns.cut == Cut(inputs=5)


def test_decoding_right_logits_gives_the_labels_back(tokens):
    given, chosen = examples("mnli", 20), setting("mnli")
    columns = pair.features(given, tokens, chosen)
    logits = np.eye(3)[columns.targets["label"]]
    assert pair.decode(logits, columns, given, chosen) == [example.label for example in given]


@pytest.mark.parametrize(("a", "b"), [(3, 4), (30, 2), (2, 30), (30, 40), (10, 10), (11, 10), (0, 25)])
def test_longer_text_is_cut_and_what_is_lost_is_counted(a, b):
    room, cut = 20, Cut()
    kept_a, kept_b = fit_pair(list(range(a)), list(range(100, 100 + b)), room, cut)
    assert kept_a == list(range(len(kept_a))) and kept_b == list(range(100, 100 + len(kept_b)))
    assert len(kept_a) + len(kept_b) == min(a + b, room)
    assert cut.tokens_lost == a + b - len(kept_a) - len(kept_b)
    assert cut.cut == (a + b > room)
    shorter, kept = min((a, len(kept_a)), (b, len(kept_b)))
    assert kept == min(shorter, room // 2)  # the shorter text is not touched while half the room is enough


def test_no_input_is_longer_than_allowed_and_nothing_is_lost_unseen(tokens):
    given = examples("mnli", 30)
    whole, cut = (pair.features(given, tokens, setting("mnli", max_length=length)) for length in (256, 12))
    assert whole.lengths.max() > 12 == cut.lengths.max()
    assert len(cut.ids) + cut.cut.tokens_lost == len(whole.ids)
    assert cut.cut.cut == (whole.lengths > 12).sum()


def test_unknown_label_is_no_target(tokens):
    (example,) = examples("mnli", 1)
    blind = pair.PairExample("0", "de", example.text_a, example.text_b, None, "0")
    assert pair.features([blind], tokens, setting("mnli")).targets["label"].tolist() == [IGNORE]


def test_cards_and_mistakes_show_texts_and_labels():
    given = examples("mnli", 6)
    assert next(pair.cards(given)) == ({"first text": given[0].text_a, "second text": given[0].text_b}, given[0].label)
    predictions = [example.label for example in given]
    predictions[4] = "neutral" if given[4].label != "neutral" else "entailment"
    texts = {"first text": given[4].text_a, "second text": given[4].text_b}
    assert list(pair.mistakes(given, predictions)) == [("4", texts, given[4].label, predictions[4])]
