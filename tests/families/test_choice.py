import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from peer import assert_same_step, inputs, peer, whole_batch
from sklearn.metrics import accuracy_score
from toy import make_examples, make_features, make_setting
from transformers import AutoModelForMultipleChoice

from stilts_core.families import choice
from stilts_core.families.features import IGNORE, Truncation
from stilts_core.tasks.examples import ChoiceExample


def test_loss_and_gradients_equal_transformers(encoder):
    """Every example has three choices, because transformers requires equally many."""
    setting = make_setting("hellaswag")
    toy = make_examples("hellaswag", 6)
    examples = [replace(example, choices=example.choices[:3], label=index % 3) for index, example in enumerate(toy)]
    head = choice.new_head(encoder, setting)
    batch = whole_batch(choice.make_features(examples, encoder.tokenizer, setting), encoder)
    pooler = "bert.pooler.dense" if encoder.kind == "bert" else "roberta.pooler.dense"
    layers = {"scorer.dense": pooler, "scorer.classifier": "classifier"}
    model = peer(AutoModelForMultipleChoice, encoder, head, layers)
    by_example = {name: tensor.view(6, 3, -1) for name, tensor in inputs(batch).items()}
    loss = model(**by_example, labels=batch.targets["label"]).loss
    assert_same_step(encoder, head, batch, model, loss, layers)


def test_loss_over_three_and_four_choices_equals_the_sum_over_single_examples(encoder):
    features = make_features(encoder, "hellaswag", 6)
    head, batch = choice.new_head(encoder, make_setting("hellaswag")), whole_batch(features, encoder)
    assert batch.sequence_counts.tolist() == [3, 4] * 3
    with torch.inference_mode():
        hidden = encoder.hidden(**batch.inputs)
        logits = head(hidden, batch).squeeze(-1).split([3, 4] * 3)
        losses = [-scores.log_softmax(0)[label] for scores, label in zip(logits, batch.targets["label"], strict=True)]
        torch.testing.assert_close(head.loss(hidden, batch), sum(losses))


def test_every_choice_has_a_sequence_with_its_context_and_question(tokenizer):
    examples = make_examples("hellaswag", 4)
    features = choice.make_features(examples, tokenizer, make_setting("hellaswag"))
    texts = [(e.context, f"{e.question} {text}".strip()) for e in examples for text in e.choices]
    expected = tokenizer.encode(*map(list, zip(*texts, strict=True)))
    assert features.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert np.diff(features.first).tolist() == [3, 4, 3, 4]
    assert features.truncation == Truncation(inputs=4)


def test_perfect_logits_decode_to_the_labels(tokenizer):
    examples, setting = make_examples("hellaswag", 9), make_setting("hellaswag")
    features = choice.make_features(examples, tokenizer, setting)
    logits = np.random.default_rng(0).normal(size=(len(features.starts) - 1, 1))
    logits[features.first[:-1] + features.targets["label"]] += 10
    assert choice.decode(logits, features, examples, setting) == [example.label for example in examples]


def test_lost_sub_words_are_counted(tokenizer):
    examples = make_examples("hellaswag", 20)
    whole, shortened = (
        choice.make_features(examples, tokenizer, make_setting("hellaswag", max_length=length)) for length in (256, 14)
    )
    assert shortened.lengths.max() == 14
    assert len(shortened.ids) + shortened.truncation.tokens_lost == len(whole.ids)


def test_example_with_several_choices_that_are_too_long_is_one_cut_input(tokenizer):
    whole = make_examples("hellaswag", 2)
    long = replace(whole[0], context="river " * 50)
    features = choice.make_features([long, whole[1]], tokenizer, make_setting("hellaswag", max_length=40))
    assert (features.truncation.inputs, features.truncation.cut) == (2, 1)


def test_unknown_label_is_ignored_by_the_loss(tokenizer):
    unlabelled = replace(make_examples("hellaswag", 1)[0], label=None)
    features = choice.make_features([unlabelled], tokenizer, make_setting("hellaswag"))
    assert features.targets["label"].tolist() == [IGNORE]


def test_mistakes_show_the_right_and_the_wrong_choice():
    examples = make_examples("hellaswag", 3)
    wrong = (examples[1].label + 1) % 4
    (mistake,) = choice.mistakes(examples, [examples[0].label, wrong, examples[2].label])
    assert (mistake.id, mistake.answer, mistake.prediction) == ("1", "the water", examples[1].choices[wrong])
    assert mistake.texts["context"] == examples[1].context and mistake.texts["choice 4"] == examples[1].choices[3]


def test_accuracy_equals_scikit_learn_with_any_number_of_choices():
    rng = random.Random(0)
    examples = [
        ChoiceExample(str(i), "et", "c", "q", choices, rng.randrange(len(choices)), str(i))
        for i, choices in enumerate(rng.choices([("a", "b"), ("a", "b", "c", "d")], k=300))
    ]
    predictions = [rng.randrange(len(example.choices)) for example in examples]
    score = choice.score_predictions(examples, predictions, make_setting("xcopa"), "et")
    expected = 100 * accuracy_score([example.label for example in examples], predictions)
    assert score.metrics["accuracy"] == pytest.approx(expected, abs=1e-9)
