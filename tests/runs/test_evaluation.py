"""Predictions against plain loops over the models of transformers, and streams of them against one set at a time."""

import weakref

import numpy as np
import pytest
import torch
from toy import make_examples, make_features, make_setting, make_training_task
from transformers import AutoModel

from stilts_core.errors import TrainingError
from stilts_core.families.features import Features
from stilts_core.families.retrieval import RetrievalHead
from stilts_core.families.table import get_family
from stilts_core.runs import prediction
from stilts_core.runs.data import TargetData
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.evaluation import Evaluation
from stilts_core.runs.prediction import Predictor, predict
from stilts_core.tasks.examples import Passage, RetrievalSet
from stilts_core.training.compute import Compute


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
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", budget)
    for name in ("mnli", "hellaswag", "squad"):
        task = make_training_task(encoder, name, 11)
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
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", 60)
    task = make_training_task(encoder, "udpos", 11)
    outputs = predict(encoder, task.head, task.features, Compute())
    expected = [task.head.classifier(states[-1]).argmax(-1) for states in hidden_states(encoder, task.features)]
    assert outputs[:, 0].tolist() == torch.cat(expected).tolist()


@torch.inference_mode()
def test_every_layer_is_the_mean_of_its_hidden_states_at_length_one(encoder, monkeypatch):
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", 60)
    columns = make_features(encoder, "lareqa", 6)
    (layers,) = Predictor(encoder, RetrievalHead(), Compute()).stream([columns], range(4))
    assert layers.shape == (12, 4, 32)
    for sequence, states in enumerate(hidden_states(encoder, columns)):
        means = torch.stack([state.mean(0) for state in states])
        torch.testing.assert_close(torch.from_numpy(layers[sequence]), means / means.norm(dim=1, keepdim=True))
    for layer in range(4):
        alone = predict(encoder, RetrievalHead(layer), columns, Compute())
        np.testing.assert_allclose(alone, layers[:, layer], rtol=1e-5, atol=1e-6)


def test_some_layers_are_those_among_all(encoder):
    columns = make_features(encoder, "lareqa", 6)
    predictor = Predictor(encoder, RetrievalHead(), Compute())
    (every,), (some,) = (predictor.stream([columns], layers) for layers in (range(4), [1, 2]))
    np.testing.assert_array_equal(some, every[:, 1:3])


@pytest.mark.parametrize("name", ["mnli", "hellaswag", "udpos", "squad", "lareqa"])
@pytest.mark.parametrize("budget", [3, 20])  # sets for themselves, some together
def test_sets_in_one_stream_are_predicted_as_alone_in_any_order(encoder, name, budget, monkeypatch):
    head = make_training_task(encoder, name, 1).head
    sets = [make_features(encoder, name, count, seed) for count, seed in ((5, 0), (9, 1), (7, 0))]
    alone = [predict(encoder, head, columns, Compute()) for columns in sets]
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", budget)
    for order in ([0, 1, 2], [2, 0, 1]):
        stream = Predictor(encoder, head, Compute()).stream([sets[number] for number in order])
        for number, outputs in zip(order, stream, strict=True):
            np.testing.assert_allclose(outputs, alone[number], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["hellaswag", "squad"])
@pytest.mark.parametrize("budget", [3, 100_000])
def test_equal_sequences_are_predicted_once_however_far_apart(encoder, name, budget, monkeypatch):
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", budget)
    head = make_training_task(encoder, name, 1).head
    few, other = make_features(encoder, name, 4), make_features(encoder, name, 6, seed=1)
    plain, repeating = Predictor(encoder, head, Compute()), Predictor(encoder, head, Compute())
    first, between = plain.stream([few, other])
    again = list(repeating.stream([few, other, few, other]))
    assert repeating.flops == plain.flops > 0
    for outputs, expected in zip(again, [first, between, first, between], strict=True):
        np.testing.assert_array_equal(outputs, expected)


def test_equal_ids_of_other_token_types_are_predicted_apart(tiny_bert, one_thread):
    encoder = load_encoder(str(tiny_bert))
    head = make_training_task(encoder, "mnli", 1).head
    one = make_features(encoder, "mnli", 3)
    other = Features(one.ids, 1 - one.types, one.starts, one.first, one.example)
    outputs = list(Predictor(encoder, head, Compute()).stream([one, other]))
    np.testing.assert_allclose(outputs[1], predict(encoder, head, other, Compute()), rtol=1e-4, atol=1e-5)
    assert not np.allclose(*outputs)


def test_outputs_are_held_no_longer_than_they_are_needed(encoder, monkeypatch):
    monkeypatch.setitem(prediction.TOKEN_BUDGETS, "cpu", 3)
    sets = [make_features(encoder, "lareqa", 20, seed) for seed in range(8)]
    held, concatenate = [], np.concatenate

    def watched(arrays, *arguments):
        found = concatenate(arrays, *arguments)
        if found.ndim == 3:
            held.append(weakref.ref(found))
        return found

    monkeypatch.setattr(np, "concatenate", watched)
    stream = Predictor(encoder, RetrievalHead(), Compute()).stream(sets, range(4))
    for number, _ in enumerate(stream):
        assert [array() is None for array in held] == [True] * number + [False]


def test_prediction_leaves_dropout_out(encoder):
    encoder.model.train()
    task = make_training_task(encoder, "mnli", 5, dropout=0.5)
    first, second = (predict(encoder, task.head, task.features, Compute()) for _ in range(2))
    assert np.array_equal(first, second)


def test_no_features_give_no_predictions(encoder):
    task = make_training_task(encoder, "mnli", 0)
    assert len(predict(encoder, task.head, task.features, Compute())) == 0


def scored(encoder, name: str, tests: dict[str, list], folder, **changes) -> Evaluation:
    chosen = make_setting(name, **changes)
    torch.manual_seed(0)
    head = get_family(chosen.task).new_head(encoder, chosen)
    columns = {
        language: get_family(chosen.task).make_features(test, encoder.tokenizer, chosen)
        for language, test in tests.items()
    }
    evaluation = Evaluation(encoder, head, chosen, Compute(), folder, chosen.task.metric)
    features = {"tests": columns, "tuning": {}, "repaired": {}}
    assert list(evaluation.score(TargetData(tests=tests), features)) == list(tests)
    return evaluation


@pytest.mark.parametrize("name", ["xnli", "udpos", "xquad"])
def test_languages_scored_together_are_scored_as_alone(encoder, name, tmp_path):
    family = {"xnli": "mnli", "xquad": "squad"}.get(name, name)
    tests = {language: make_examples(family, 9, seed) for seed, language in enumerate(("en", "de", "sw"))}
    together = scored(encoder, name, tests, tmp_path)
    for language, test in tests.items():
        alone = scored(encoder, name, {language: test}, tmp_path)
        assert alone.scores[language] == together.scores[language]


def test_layers_scored_some_at_a_time_are_scored_as_all_at_once(encoder, tmp_path, monkeypatch):
    texts = [example.query for example in make_examples("lareqa", 30)]
    tests = {
        language: [
            RetrievalSet(
                language,
                tuple(Passage(str(i), text) for i, text in enumerate(texts)),
                tuple(Passage(str(i), text[: len(text) * share // 4]) for i, text in enumerate(texts)),
                {str(i): frozenset({str(i)}) for i in range(len(texts))},
            )
        ]
        for language, share in (("de", 3), ("sw", 2))
    }
    at_once = scored(encoder, "tatoeba", tests, tmp_path, layer=2)
    monkeypatch.setattr("stilts_core.runs.hidden_states.STATE_BYTES", 1)
    one_by_one = scored(encoder, "tatoeba", tests, tmp_path, layer=2)
    assert one_by_one.states == at_once.states and one_by_one.scores == at_once.scores
    for language in tests:
        assert at_once.layers[language][2] == at_once.scores[language].score


def test_outputs_that_are_not_finite_are_never_scored(encoder):
    task = make_training_task(encoder, "mnli", 4)
    predictor = Predictor(encoder, task.head, Compute())
    with torch.no_grad():
        task.head.classifier.bias[0] = torch.nan
    with pytest.raises(TrainingError, match=f"of encoder {encoder.name} for xnli in de are not finite; lower the"):
        list(predictor.stream([task.features] * 2, names=["xnli in de", "xnli in zh"]))


@pytest.mark.parametrize("name", ["mnli", "hellaswag", "udpos", "squad", "lareqa"])
def test_an_encoder_with_faulty_weights_is_named_by_every_family(encoder, name):
    task = make_training_task(encoder, name, 4)
    with torch.no_grad():
        encoder.model.get_input_embeddings().weight[:] = torch.nan
    with pytest.raises(TrainingError, match=f"of encoder {encoder.name} for {name} in sw are not finite"):
        predict(encoder, task.head, task.features, Compute(), f"{name} in sw")
