"""Predictions against plain loops over the models of transformers."""

import numpy as np
import pytest
import torch
from toy import features, training_task
from transformers import AutoModel

from stilts_core import evaluation
from stilts_core.compute import Compute
from stilts_core.encoder import load_encoder
from stilts_core.evaluation import predict, predict_every_layer
from stilts_core.families.retrieval import RetrievalHead


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def encoder(request, one_thread):
    torch.manual_seed(0)
    return load_encoder(str(request.getfixturevalue(request.param)))


def hidden_states(encoder, columns) -> list[list[torch.Tensor]]:
    """By sequence: all hidden states from transformers, one sequence at a time, so without padding."""
    theirs = AutoModel.from_pretrained(encoder.folder, add_pooling_layer=False).eval()
    both = (np.split(column, columns.starts[1:-1]) for column in (columns.ids, columns.types))
    states = []
    for ids, types in zip(*both, strict=True):
        inputs = {"input_ids": torch.tensor(ids)[None].long(), "token_type_ids": torch.tensor(types)[None].long()}
        states.append([state[0] for state in theirs(**inputs, output_hidden_states=True).hidden_states])
    return states


@torch.inference_mode()
@pytest.mark.parametrize("budget", [1, 60, 100_000])
def test_predictions_are_in_order_and_those_of_a_plain_loop(encoder, budget, monkeypatch):
    monkeypatch.setattr(evaluation, "TOKEN_BUDGET", budget)
    for name in ("mnli", "hellaswag", "squad"):
        task = training_task(encoder, name, 11)
        plain = {
            "mnli": lambda head, states: head.classifier(torch.tanh(head.dense(states[:1]))),
            "hellaswag": lambda head, states: head.scorer.classifier(torch.tanh(head.scorer.dense(states[:1]))),
            "squad": lambda head, states: head.scorer(states),
        }[name]
        outputs = predict(encoder, task.head, task.features, Compute())
        task.head.eval()
        expected = [plain(task.head, states[-1]) for states in hidden_states(encoder, task.features)]
        torch.testing.assert_close(torch.from_numpy(outputs), torch.cat(expected))


@torch.inference_mode()
def test_predicted_tags_are_those_of_a_plain_loop(encoder, monkeypatch):
    monkeypatch.setattr(evaluation, "TOKEN_BUDGET", 60)
    task = training_task(encoder, "udpos", 11)
    outputs = predict(encoder, task.head, task.features, Compute())
    expected = [task.head.classifier(states[-1]).argmax(-1) for states in hidden_states(encoder, task.features)]
    assert outputs[:, 0].tolist() == torch.cat(expected).tolist()


@torch.inference_mode()
def test_every_layer_is_the_mean_of_its_hidden_states_at_length_one(encoder, monkeypatch):
    monkeypatch.setattr(evaluation, "TOKEN_BUDGET", 60)
    columns = features(encoder, "lareqa", 6)
    layers = predict_every_layer(encoder, RetrievalHead(), columns, Compute())
    assert layers.shape == (4, 12, 32)
    for sequence, states in enumerate(hidden_states(encoder, columns)):
        means = torch.stack([state.mean(0) for state in states])
        torch.testing.assert_close(torch.from_numpy(layers[:, sequence]), means / means.norm(dim=1, keepdim=True))
    for layer in range(4):
        alone = predict(encoder, RetrievalHead(layer), columns, Compute())
        np.testing.assert_allclose(alone, layers[layer], rtol=1e-5, atol=1e-6)


def test_prediction_leaves_dropout_out(encoder):
    encoder.model.train()
    task = training_task(encoder, "mnli", 5, dropout=0.5)
    first, second = (predict(encoder, task.head, task.features, Compute()) for _ in range(2))
    assert np.array_equal(first, second)


def test_no_features_give_no_predictions(encoder):
    task = training_task(encoder, "mnli", 0)
    assert len(predict(encoder, task.head, task.features, Compute())) == 0
