import numpy as np
import torch
from peer import inputs, whole_batch
from toy import examples, features, setting
from transformers import AutoModel

from stilts_core.batching import Cut
from stilts_core.families import retrieval
from stilts_core.families.retrieval import SCALE, Passage, RetrievalSet


def test_loss_is_that_of_a_plain_dual_encoder(encoder):
    """Plain code: mean pooling, cosine, softmax over the batch without candidates of the query's own group."""
    head, batch = retrieval.head(encoder, setting("lareqa")), whole_batch(features(encoder, "lareqa", 6), encoder)
    groups = batch.targets["group"].tolist()
    assert groups == [0, 0, 1, 1, 2, 2]
    theirs = AutoModel.from_pretrained(encoder.folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        states = theirs(**inputs(batch)).last_hidden_state
        mean = torch.stack([state[mask].mean(0) for state, mask in zip(states, batch.mask, strict=True)])
        expected = 0
        for query in range(6):
            allowed = [c for c in range(6) if c == query or groups[c] != groups[query]]
            cosines = torch.cosine_similarity(mean[2 * query], mean[[2 * c + 1 for c in allowed]])
            expected -= (SCALE * cosines).log_softmax(0)[allowed.index(query)]
        torch.testing.assert_close(head.loss(encoder.hidden(**batch.inputs), batch), expected)


def test_features_of_a_set_are_its_queries_then_its_candidates(tokens):
    queries, candidates = (Passage("q", "old bridge"),), (Passage("a", "river"), Passage("b", "the market"))
    columns = retrieval.features([RetrievalSet("de", queries, candidates, {})], tokens, setting("tatoeba"))
    expected = tokens.encode(["old bridge", "river", "the market"])
    assert columns.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert len(columns) == 3 and columns.cut == Cut(inputs=3)


def test_features_of_pairs_are_query_and_candidate(tokens):
    given = examples("lareqa", 4)
    columns = retrieval.features(given, tokens, setting("lareqa"))
    expected = tokens.encode([text for e in given for text in (e.query, e.candidate)])
    assert columns.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    assert np.diff(columns.first).tolist() == [2] * 4


def test_nothing_is_lost_unseen(tokens):
    given = examples("lareqa", 20)
    whole, cut = (retrieval.features(given, tokens, setting("lareqa", max_length=length)) for length in (256, 10))
    assert cut.lengths.max() == 10
    assert len(cut.ids) + cut.cut.tokens_lost == len(whole.ids)
    assert cut.cut.cut == (np.diff(whole.starts) > 10).sum()


def test_layer_is_the_settings_where_the_encoder_is_not_trained_for_it(encoder):
    assert retrieval.head(encoder, setting("tatoeba", layer=2)).layer == 2
    assert retrieval.head(encoder, setting("lareqa", layer=2)).layer is None
