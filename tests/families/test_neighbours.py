"""Nearest neighbours and margins against FAISS and a full sort, and their memory."""

from pathlib import Path

import numpy as np
import pytest
from vectors import unit_vectors

from stilts_core.families.neighbours import compute_margins, find_mutual_neighbours, find_neighbours


@pytest.mark.parametrize("block", [7, 64, 4096])
def test_neighbours_equal_faiss_exact_search(block):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    sides = unit_vectors(rng, 150), unit_vectors(rng, 333)
    for (queries, candidates), both in zip((sides, sides[::-1]), find_mutual_neighbours(*sides, 5, block), strict=True):
        index = faiss.IndexFlatIP(queries.shape[1])
        index.add(candidates)
        expected_scores, expected = index.search(queries, 5)
        for scores, indices in (both, find_neighbours(queries, candidates, 5, block)):
            np.testing.assert_array_equal(indices, expected)
            np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)


@pytest.mark.parametrize("block", [3, 10, 4096])
@pytest.mark.parametrize("k", [1, 4, 20, 100])
def test_ties_go_to_the_lowest_index_in_blocks_of_any_size(block, k):
    rng = np.random.default_rng(1)
    queries, candidates = (rng.integers(-1, 2, (rows, 3)).astype(np.float32) for rows in (25, 60))
    products = queries @ candidates.T
    forward, backward = find_mutual_neighbours(queries, candidates, k, block)
    for inner, (scores, indices) in (
        (products, find_neighbours(queries, candidates, k, block)),
        (products, forward),
        (products.T, backward),
    ):
        expected = np.argsort(-inner, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_array_equal(scores, np.take_along_axis(inner, expected, 1))


def test_memory_does_not_grow_with_the_number_of_inner_products():
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not peak.exists():
        pytest.skip("needs Linux, which reports the peak memory of a process")

    def kilobytes(name: str) -> int:
        return int(status.read_text().split(f"{name}:")[1].split()[0])

    rng, rows, block = np.random.default_rng(2), 16_000, 512
    x, y = unit_vectors(rng, rows, 4), unit_vectors(rng, rows, 4)
    find_mutual_neighbours(x[:600], y[:600], 4, block)
    peak.write_text("5")  # the peak counts from here
    before = kilobytes("VmRSS")
    sides = find_mutual_neighbours(x, y, 4, block)
    results = sum(array.nbytes for side in sides for array in side)
    assert 1024 * (kilobytes("VmHWM") - before) < 2 * results + 16 * 4 * block**2 < 4 * rows**2 / 20


def test_margin_is_the_cosine_over_the_mean_of_both_neighbourhoods():
    rng = np.random.default_rng(2)
    x, y = unit_vectors(rng, 30), unit_vectors(rng, 40)
    cosines = x @ y.T
    around_x, around_y = (np.sort(products, axis=1)[:, -4:].mean(axis=1) for products in (cosines, cosines.T))
    forward, backward = find_mutual_neighbours(x, y, 4)
    margins = compute_margins(forward, backward)
    for i, j in np.ndindex(margins.shape):
        candidate = forward[1][i, j]
        assert margins[i, j] == pytest.approx(2 * cosines[i, candidate] / (around_x[i] + around_y[candidate]), rel=1e-4)
