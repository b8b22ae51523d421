"""Centred retrieval against plain loops, and the scores of the pretrained encoder, computed once for a grid."""

from pathlib import Path

import numpy as np
import pytest
from toy import make_examples, make_setting

from stilts_core.config import RunConfig
from stilts_core.families import retrieval
from stilts_core.families.feature_cache import cached_features
from stilts_core.families.retrieval import RetrievalHead
from stilts_core.runs import hidden_states
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.hidden_states import StateScorer, pretrained_scores
from stilts_core.runs.measures import StateScores
from stilts_core.runs.pipeline import run
from stilts_core.runs.prediction import predict
from stilts_core.runs.record import RECORD, Record, read_record
from stilts_core.storage.cache import write_entry
from stilts_core.tasks.examples import Passage, RetrievalSet
from stilts_core.training.compute import Compute


@pytest.fixture
def encoder(tiny_xlmr, one_thread):
    return load_encoder(str(tiny_xlmr))


@pytest.fixture
def tests() -> dict[str, list[RetrievalSet]]:
    texts = [example.query for example in make_examples("lareqa", 40)]
    return {
        language: [
            RetrievalSet(
                language,
                tuple(Passage(str(i), text) for i, text in enumerate(texts)),
                tuple(Passage(str(i), f"{text[: len(text) // 2]} {word}") for i, text in enumerate(texts)),
                {str(i): frozenset({str(i)}) for i in range(len(texts))},
            )
        ]
        for language, word in (("de", "Brücke"), ("sw", "daraja"))
    }


def accuracy(queries: np.ndarray, candidates: np.ndarray) -> float:
    return 100 * float(np.mean([int(np.argmax(candidates @ query)) == i for i, query in enumerate(queries)]))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def scored(encoder, tests, compute=None) -> StateScores:
    setting = make_setting("tatoeba", layer=2)
    return pretrained_scores(encoder, tests, frozenset(), setting, "accuracy", compute or Compute())


def test_scores_are_those_of_plain_centring(encoder, tests):
    found = scored(encoder, tests)
    setting = make_setting("tatoeba")
    for state in range(encoder.layers + 1):
        sides = {}
        for language, test in tests.items():
            features = cached_features(test, encoder.tokenizer, setting)
            outputs = predict(encoder, RetrievalHead(state), features, Compute()).astype(float)
            sides[language] = outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :]
        vectors = [row for both in sides.values() for side in both for row in side]
        texts = [passage.text for (test,) in tests.values() for passage in (*test.queries, *test.candidates)]
        everyone = np.mean(list(dict(zip(texts, vectors, strict=True)).values()), axis=0)
        for language, (queries, candidates) in sides.items():
            near = {"abs": 100 / len(queries)}  # one tie may be decided otherwise
            own = accuracy(unit(queries - queries.mean(0)), unit(candidates - candidates.mean(0)))
            assert found.raw[language][state] == pytest.approx(accuracy(queries, candidates), **near)
            assert found.language_centred[language][state] == pytest.approx(own, **near)
            centred = accuracy(unit(queries - everyone), unit(candidates - everyone))
            assert found.globally_centred[language][state] == pytest.approx(centred, **near)


def test_offset_of_a_language_disappears_when_its_mean_is_subtracted():
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(60, 16))
    noisy, offset = meaning + rng.normal(size=meaning.shape), 6 * rng.normal(size=16)
    ids = tuple(Passage(str(i), str(i)) for i in range(60))
    test = RetrievalSet("de", ids, ids, {str(i): frozenset({str(i)}) for i in range(60)})
    scorer = StateScorer(make_setting("tatoeba"), "accuracy", 0, 1)
    outputs = unit(np.concatenate([noisy, meaning + offset])).astype(np.float32)
    scorer.add(test, None, "de", 0, outputs, outputs.mean(0))
    scores = scorer.scores
    assert scores.language_centred["de"][0] > scores.raw["de"][0] + 20


def test_large_set_is_centred_at_the_scored_state_only(encoder, tests, monkeypatch):
    monkeypatch.setattr(hidden_states, "LARGEST_SET", 10)
    found = scored(encoder, tests, Compute(checkpoint_seconds=1.0, precision="bf16"))  # another entry of the cache
    for scores in (found.globally_centred, found.language_centred):
        assert [score is None for score in scores["de"]] == [True, True, False, True]
    assert None not in found.raw["de"]


def test_scores_are_computed_once_and_a_damaged_entry_again(encoder, tests, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    first = scored(encoder, tests)
    (path,) = tmp_path.glob("retrieval/*.json")
    with monkeypatch.context() as patch:
        patch.setattr(retrieval, "decode", lambda *_: pytest.fail("computed again"))
        assert scored(encoder, tests) == first
    for damage in (lambda: path.write_bytes(b"{"), lambda: write_entry(path, {"raw": 3})):
        damage()
        assert scored(encoder, tests) == first
        assert f"{path} is damaged" in capsys.readouterr().err
    swapped = {language: [RetrievalSet("x", t.candidates, t.queries, t.gold)] for language, (t,) in tests.items()}
    assert scored(encoder, swapped) != first and len(list(tmp_path.glob("retrieval/*.json"))) == 2


@pytest.fixture
def do(tmp_path, tiny_xlmr):
    """Does a run on Tatoeba with a tiny encoder."""
    chosen = {"source": "laboratory", "languages": "qbe,qlu", "intermediate_examples": 64, "intermediate_lr": 1e-2}
    common = {"encoder": str(tiny_xlmr), "runs_dir": str(tmp_path / "runs"), "quiet": True}

    def do(**fields) -> Record:
        return run(RunConfig(profile="small", layer=2, **{"target": "tatoeba"} | chosen | common | fields))

    return do


def test_record_has_retrieval_before_and_after_the_phases(do):
    none, mnli = do(), do(intermediate="mnli")
    assert none.retrieval.before == none.retrieval.after == mnli.retrieval.before
    assert mnli.retrieval.after != mnli.retrieval.before
    for record in (none, mnli):
        assert record.retrieval.after.raw == record.layers
        assert record.layers["qbe"][2] == record.scores["qbe"].score
        assert read_record(Path(record.folder) / RECORD).retrieval == record.retrieval


def test_trained_retrieval_is_centred_at_the_scored_state(do):
    record = do(target="lareqa", target_examples=16, test_examples=8, target_lr=1e-2)
    assert record.retrieval.state == 3 and record.layers == {}
    for scores in (record.retrieval.before, record.retrieval.after):
        for by_language in (scores.raw, scores.globally_centred, scores.language_centred):
            assert all(own[:3] == [None] * 3 and own[3] is not None for own in by_language.values())
    assert {code: own[3] for code, own in record.retrieval.after.raw.items()} == {
        code: pytest.approx(score.score) for code, score in record.scores.items()
    }
    assert record.retrieval.before != record.retrieval.after
