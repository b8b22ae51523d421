"""The search of the peer equals ours, and mteb's process gets the right files and reports its end."""

import stat

import numpy as np
import pytest

from stilts_core.bench.retrieval import (
    PEER_PYTHON,
    MtebPeer,
    draw_random_vectors,
    search_faiss_both_ways,
)
from stilts_core.errors import BenchError
from stilts_core.families.neighbours import find_mutual_neighbours
from stilts_core.tasks.examples import Passage, RetrievalSet

TEST = RetrievalSet(
    language="de",
    queries=(Passage("q0", "Brücke"), Passage("q1", "Fluss")),
    candidates=(Passage("c0", "river"), Passage("c1", "market"), Passage("c2", "bridge")),
    gold={"q0": frozenset({"c2"}), "q1": frozenset({"c0"})},
)
EMBEDDINGS = (draw_random_vectors(2, 0), draw_random_vectors(3, 1))


@pytest.fixture
def start_mteb(tmp_path, monkeypatch):
    """Starts a shell script in place of a Python that has mteb."""

    def start(script: str) -> MtebPeer:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(PEER_PYTHON, str(python))
        return MtebPeer.start(tmp_path, [TEST], [EMBEDDINGS])

    return start


def test_searches_of_both_sides_find_the_same_neighbours():
    x, y = draw_random_vectors(50, 0), draw_random_vectors(70, 1)
    for ours, theirs in zip(find_mutual_neighbours(x, y, 4), search_faiss_both_ways(x, y, 4), strict=True):
        np.testing.assert_array_equal(ours[1], theirs[1])
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)


def test_mteb_scores_as_often_as_it_is_asked(start_mteb):
    peer = start_mteb("""while read line; do echo '{"seconds": 1.5, "scores": [50.0]}'; done""")
    assert [peer.score_all() for _ in range(2)] == [(1.5, [50.0])] * 2
    peer.stop()
    assert peer.process.returncode == 0


def test_mteb_gets_the_embeddings_and_the_rows_of_the_right_candidates(start_mteb, tmp_path):
    start_mteb("exit 0").stop()
    for name, expected in zip(("queries", "candidates", "gold"), (*EMBEDDINGS, [2, 0]), strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / f"0-{name}.npy"), expected)


def test_ended_mteb_raises_with_its_exit_code(start_mteb):
    peer = start_mteb("exit 3")
    for _ in range(2):
        with pytest.raises(BenchError, match=f"code 3.*{PEER_PYTHON}"):
            peer.score_all()


def test_mteb_is_left_out_without_an_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(PEER_PYTHON, raising=False)
    assert MtebPeer.start(tmp_path, [TEST], [EMBEDDINGS]) is None
    assert f"{PEER_PYTHON} is not set" in capsys.readouterr().err
