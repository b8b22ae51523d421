"""Labelled states are those of the encoder after the intermediate phases, one for each label."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from stilts_core.config import RunConfig
from stilts_core.errors import StudyError
from stilts_core.laboratory import generator
from stilts_core.runs.labelled_states import labelled_states
from stilts_core.runs.pipeline import run
from stilts_core.studies.transferability import SCORES, read_measures_and_scores

SIZES = {"target_examples": 12, "dev_examples": 4, "test_examples": 4, "intermediate_examples": 16, "quiet": True}


@pytest.fixture
def config(tmp_path, tiny_xlmr):
    def config(**fields):
        return RunConfig(profile="lab", encoder=str(tiny_xlmr), runs_dir=str(tmp_path), layer=None, **SIZES | fields)

    return config


def pooled(folder, pairs):
    """The mean hidden state of each pair of texts, one at a time, by transformers alone."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = [model(**tokenizer(*pair, return_tensors="pt")).last_hidden_state.mean(1)[0] for pair in pairs]
    return torch.stack(states).numpy()


def test_states_of_pairs_are_those_of_transformers(config, tiny_xlmr):
    states, labels = labelled_states(config(intermediate="none", target="pawsx", precision="fp32"), 10)
    examples = generator.read("pawsx", "train", limit=12).items[:10]
    assert labels.tolist() == [int(example.label) for example in examples]
    expected = pooled(tiny_xlmr, [(example.text_a, example.text_b) for example in examples])
    np.testing.assert_allclose(states, expected, rtol=1e-3, atol=1e-4)


def test_a_choice_is_right_or_wrong(config):
    states, labels = labelled_states(config(intermediate="none", target="xcopa"), 100)
    examples = generator.read("copa", "train", limit=12).items
    assert labels.tolist() == [int(index == example.label) for example in examples for index in range(2)]
    assert len(states) == 24


def test_every_word_has_a_label(config):
    states, labels = labelled_states(config(intermediate="none", target="udpos"), 10_000)
    examples = generator.read("udpos", "train", limit=12).items
    assert len(states) == len(labels) == sum(len(example.words) for example in examples)


def test_target_without_single_labels_is_refused(config):
    with pytest.raises(StudyError, match="items of tydiqa have no single label"):
        labelled_states(config(intermediate="none", target="tydiqa"), 10)


def test_scores_are_measured_after_the_intermediate_phase(config):
    trained, plain = (config(intermediate=name, target="pawsx", languages="en") for name in ("mnli", "none"))
    after, before = (labelled_states(one, 10)[0] for one in (trained, plain))
    assert np.abs(after - before).max() > 1e-3
    measured = {metric: value for metric, _, value in read_measures_and_scores(run(trained))}
    assert {f"selector:{name}" for name in SCORES} <= measured.keys()
    states, labels = labelled_states(trained, 2000)
    assert measured["selector:logme"] == SCORES["logme"](states, labels)
    without = {metric for metric, _, _ in read_measures_and_scores(run(plain))}
    assert not any(metric.startswith("selector:") for metric in without)
