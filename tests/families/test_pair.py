import random

import numpy as np
import pytest
from peer import assert_same_step, inputs, peer, whole_batch
from sklearn.metrics import accuracy_score
from toy import make_examples, make_features, make_setting
from transformers import AutoModelForSequenceClassification

from stilts_core.families import pair
from stilts_core.families.features import IGNORE, Truncation
from stilts_core.tasks.examples import PairExample

LAYERS = {
    "xlm-roberta": {"dense": "classifier.dense", "classifier": "classifier.out_proj"},
    "bert": {"dense": "bert.pooler.dense", "classifier": "classifier"},
}


def test_loss_and_gradients_equal_transformers(encoder):
    head, batch = pair.new_head(encoder, make_setting("mnli")), whole_batch(make_features(encoder, "mnli", 8), encoder)
    layers = LAYERS[encoder.kind]
    model = peer(AutoModelForSequenceClassification, encoder, head, layers, num_labels=3)
    loss = model(**inputs(batch), labels=batch.targets["label"]).loss
    assert_same_step(encoder, head, batch, model, loss, layers)


def test_features_equal_the_pairs_encoded_by_the_tokenizer(tokenizer):
    examples = make_examples("mnli", 5)
    features = pair.make_features(examples, tokenizer, make_setting("mnli"))
    expected = tokenizer.encode([e.text_a for e in examples], [e.text_b for e in examples])
    assert features.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert features.types.tolist() == [kind for encoding in expected for kind in encoding.type_ids]
    assert features.truncation == Truncation(inputs=5)


def test_perfect_logits_decode_to_the_labels(tokenizer):
    examples, setting = make_examples("mnli", 20), make_setting("mnli")
    features = pair.make_features(examples, tokenizer, setting)
    logits = np.eye(3)[features.targets["label"]]
    assert pair.decode(logits, features, examples, setting) == [example.label for example in examples]


@pytest.mark.parametrize(("a", "b"), [(3, 4), (30, 2), (2, 30), (30, 40), (10, 10), (11, 10), (0, 25)])
def test_longer_text_is_shortened_and_the_loss_is_counted(a, b):
    room, truncation = 20, Truncation()
    short_a, short_b = pair.shorten_pair(list(range(a)), list(range(100, 100 + b)), room, truncation)
    assert short_a == list(range(len(short_a))) and short_b == list(range(100, 100 + len(short_b)))
    assert len(short_a) + len(short_b) == min(a + b, room)
    assert truncation.tokens_lost == a + b - len(short_a) - len(short_b)
    assert truncation.cut == (a + b > room)
    shorter, remaining = min((a, len(short_a)), (b, len(short_b)))
    assert remaining == min(shorter, room // 2)  # the shorter text stays whole if it takes half of the room at most


def test_no_sequence_exceeds_the_maximum_and_lost_sub_words_are_counted(tokenizer):
    examples = make_examples("mnli", 30)
    whole, shortened = (
        pair.make_features(examples, tokenizer, make_setting("mnli", max_length=length)) for length in (256, 12)
    )
    assert whole.lengths.max() > 12 == shortened.lengths.max()
    assert len(shortened.ids) + shortened.truncation.tokens_lost == len(whole.ids)
    assert shortened.truncation.cut == (whole.lengths > 12).sum()


def test_unknown_label_is_ignored_by_the_loss(tokenizer):
    (example,) = make_examples("mnli", 1)
    unlabelled = PairExample("0", "de", example.text_a, example.text_b, None, "0")
    features = pair.make_features([unlabelled], tokenizer, make_setting("mnli"))
    assert features.targets["label"].tolist() == [IGNORE]


def test_cards_and_mistakes_show_texts_and_labels():
    examples = make_examples("mnli", 6)
    first = {"first text": examples[0].text_a, "second text": examples[0].text_b}
    assert next(pair.cards(examples)) == (first, examples[0].label)
    predictions = [example.label for example in examples]
    predictions[4] = "neutral" if examples[4].label != "neutral" else "entailment"
    texts = {"first text": examples[4].text_a, "second text": examples[4].text_b}
    assert list(pair.mistakes(examples, predictions)) == [("4", texts, examples[4].label, predictions[4])]


def test_accuracy_equals_scikit_learn():
    rng, setting = random.Random(0), make_setting("xnli")
    for size in (1, 7, 500):
        gold, predictions = (rng.choices(setting.labels, k=size) for _ in range(2))
        examples = [PairExample(str(i), "de", "a", "b", label, str(i)) for i, label in enumerate(gold)]
        score = pair.score_predictions(examples, predictions, setting, "de")
        assert score.n == size
        assert score.metrics["accuracy"] == pytest.approx(100 * accuracy_score(gold, predictions), abs=1e-9)
