from dataclasses import replace

import numpy as np
import torch
from peer import assert_same_step, inputs, peer, whole_batch
from toy import examples, features, setting
from transformers import AutoModelForMultipleChoice

from stilts_core.batching import IGNORE, Cut
from stilts_core.families import choice


def test_loss_and_gradients_are_those_of_transformers(encoder):
    """With as many choices for every example, which transformers asks for."""
    chosen = setting("hellaswag")
    given = [replace(e, choices=e.choices[:3], label=index % 3) for index, e in enumerate(examples("hellaswag", 6))]
    head = choice.head(encoder, chosen)
    batch = whole_batch(choice.features(given, encoder.tokens, chosen), encoder)
    pooler = "bert.pooler.dense" if encoder.kind == "bert" else "roberta.pooler.dense"
    layers = {"scorer.dense": pooler, "scorer.classifier": "classifier"}
    theirs = peer(AutoModelForMultipleChoice, encoder, head, layers)
    by_example = {name: tensor.view(6, 3, -1) for name, tensor in inputs(batch).items()}
    loss = theirs(**by_example, labels=batch.targets["label"]).loss
    assert_same_step(encoder, head, batch, theirs, loss, layers)


def test_loss_over_three_and_four_choices_is_that_of_each_example_alone(encoder):
    columns = features(encoder, "hellaswag", 6)
    head, batch = choice.head(encoder, setting("hellaswag")), whole_batch(columns, encoder)
    assert batch.per_feature.tolist() == [3, 4] * 3
    with torch.inference_mode():
        hidden = encoder.hidden(**batch.inputs)
        logits = head(hidden, batch).squeeze(-1).split([3, 4] * 3)
        alone = [-scores.log_softmax(0)[label] for scores, label in zip(logits, batch.targets["label"], strict=True)]
        torch.testing.assert_close(head.loss(hidden, batch), sum(alone))


def test_every_choice_stands_with_its_context_and_question(tokens):
    given = examples("hellaswag", 4)
    columns = choice.features(given, tokens, setting("hellaswag"))
    rows = [(e.context, f"{e.question} {text}".strip()) for e in given for text in e.choices]
    expected = tokens.encode(*map(list, zip(*rows, strict=True)))
    assert columns.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert np.diff(columns.first).tolist() == [3, 4, 3, 4]
    assert columns.cut == Cut(inputs=4)


def test_decoding_right_logits_gives_the_choices_back(tokens):
    given, chosen = examples("hellaswag", 9), setting("hellaswag")
    columns = choice.features(given, tokens, chosen)
    logits = np.random.default_rng(0).normal(size=(len(columns.starts) - 1, 1))
    logits[columns.first[:-1] + columns.targets["label"]] += 10
    assert choice.decode(logits, columns, given, chosen) == [example.label for example in given]


def test_nothing_is_lost_unseen(tokens):
    given = examples("hellaswag", 20)
    whole, cut = (choice.features(given, tokens, setting("hellaswag", max_length=length)) for length in (256, 14))
    assert cut.lengths.max() == 14
    assert len(cut.ids) + cut.cut.tokens_lost == len(whole.ids)


def test_unknown_label_is_no_target(tokens):
    blind = replace(examples("hellaswag", 1)[0], label=None)
    assert choice.features([blind], tokens, setting("hellaswag")).targets["label"].tolist() == [IGNORE]


def test_mistakes_show_the_right_and_the_wrong_choice():
    given = examples("hellaswag", 3)
    wrong = (given[1].label + 1) % 4
    (mistake,) = choice.mistakes(given, [given[0].label, wrong, given[2].label])
    assert mistake[0] == "1" and mistake[2:] == ("the water", given[1].choices[wrong])
    assert mistake[1]["context"] == given[1].context and mistake[1]["choice 4"] == given[1].choices[3]
