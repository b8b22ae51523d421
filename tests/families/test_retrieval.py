import numpy as np
import pytest
import torch
from peer import inputs, whole_batch
from toy import make_examples, make_features, make_setting
from transformers import AutoModel
from vectors import unit_vectors

from stilts_core.families import retrieval
from stilts_core.families.features import Truncation
from stilts_core.families.retrieval import SCALE
from stilts_core.sources.publishers import load
from stilts_core.tasks.examples import Passage, RetrievalSet


def test_loss_equals_a_plain_dual_encoder(encoder):
    """Plain code: mean pooling, cosine, softmax over the batch without other candidates of the query's own group."""
    head = retrieval.new_head(encoder, make_setting("lareqa"))
    batch = whole_batch(make_features(encoder, "lareqa", 6), encoder)
    groups = batch.targets["group"].tolist()
    assert groups == [0, 0, 1, 1, 2, 2]
    model = AutoModel.from_pretrained(encoder.folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        states = model(**inputs(batch)).last_hidden_state
        mean = torch.stack([state[mask].mean(0) for state, mask in zip(states, batch.mask, strict=True)])
        expected = 0
        for query in range(6):
            allowed = [c for c in range(6) if c == query or groups[c] != groups[query]]
            cosines = torch.cosine_similarity(mean[2 * query], mean[[2 * c + 1 for c in allowed]])
            expected -= (SCALE * cosines).log_softmax(0)[allowed.index(query)]
        torch.testing.assert_close(head.loss(encoder.hidden(**batch.inputs), batch), expected)


def test_features_of_a_test_set_are_its_queries_then_its_candidates(tokenizer):
    queries, candidates = (Passage("q", "old bridge"),), (Passage("a", "river"), Passage("b", "the market"))
    test = RetrievalSet("de", queries, candidates, {})
    features = retrieval.make_features([test], tokenizer, make_setting("tatoeba"))
    expected = tokenizer.encode(["old bridge", "river", "the market"])
    assert features.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert len(features) == 3 and features.truncation == Truncation(inputs=3)


def test_features_of_training_pairs_are_query_and_candidate(tokenizer):
    examples = make_examples("lareqa", 4)
    features = retrieval.make_features(examples, tokenizer, make_setting("lareqa"))
    expected = tokenizer.encode([text for e in examples for text in (e.query, e.candidate)])
    assert features.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert np.diff(features.first).tolist() == [2] * 4


def test_lost_sub_words_are_counted(tokenizer):
    examples = make_examples("lareqa", 20)
    whole, shortened = (
        retrieval.make_features(examples, tokenizer, make_setting("lareqa", max_length=length)) for length in (256, 10)
    )
    assert shortened.lengths.max() == 10
    assert len(shortened.ids) + shortened.truncation.tokens_lost == len(whole.ids)
    assert shortened.truncation.cut == (np.diff(whole.starts) > 10).sum()


def test_layer_is_the_settings_without_training_and_the_last_with_training(encoder):
    assert retrieval.new_head(encoder, make_setting("tatoeba", layer=2)).layer == 2
    assert retrieval.new_head(encoder, make_setting("lareqa", layer=2)).layer is None


def test_retrieved_candidates_are_the_nearest_and_as_many_as_the_metric_counts():
    rng = np.random.default_rng(0)
    queries, candidates = unit_vectors(rng, 3), unit_vectors(rng, 30)
    sides = [tuple(Passage(f"{side}{i}", f"{side}{i}") for i in range(n)) for side, n in (("q", 3), ("c", 30))]
    test, outputs = RetrievalSet("de", *sides, {}), np.concatenate([queries, candidates])
    nearest = [[f"c{i}" for i in row] for row in np.argsort(-queries @ candidates.T, axis=1)]
    for name, count in (("tatoeba", 1), ("lareqa", 20)):
        (rankings,) = retrieval.decode(outputs, None, [test], make_setting(name))
        assert rankings == {f"q{i}": row[:count] for i, row in enumerate(nearest)}


def test_mistakes_show_queries_whose_first_candidate_is_wrong_or_missing():
    queries = tuple(Passage(f"q{i}", f"query {i}") for i in range(4))
    candidates = (Passage("a", "river"), Passage("b", "market"))
    gold = {"q0": frozenset("a"), "q1": frozenset("a"), "q2": frozenset("a")}
    rankings = {"q0": ["a", "b"], "q1": ["b", "a"], "q2": []}
    mistakes = list(retrieval.mistakes([RetrievalSet("de", queries, candidates, gold)], [rankings]))
    assert mistakes == [
        ("q1", {"query": "query 1"}, "river", "market"),
        ("q2", {"query": "query 2"}, "river", "(none)"),
    ]


@pytest.mark.parametrize("name", ["tatoeba", "bucc2018", "lareqa"])
def test_perfect_retrieval_on_real_sets_scores_100_and_no_retrieval_0(stilts_data, name):
    (test,) = load(name, "test", "zh", data=stilts_data).items
    setting = make_setting(name)
    perfect = {query: tuple(right) for query, right in test.gold.items()}
    for rankings, expected in ((perfect, 100), ({}, 0)):
        score = retrieval.score_predictions([test], [rankings], setting, "zh")
        assert score.metrics[setting.task.metric] == expected
