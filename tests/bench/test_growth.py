"""Growth: points without a measurable cost are left out, and a grid costs the sum of its runs."""

from types import SimpleNamespace

import pytest

from stilts_core.bench import growth

CURVES = ("languages", "examples", "length", "corpus", "corpus_memory", "grid")


@pytest.mark.parametrize("unmeasured", [1, 2, 3])
def test_points_without_a_measurable_cost_are_left_out(monkeypatch, unmeasured):
    costs = [0] * unmeasured + [40, 80, 160][: 4 - unmeasured]
    for name in CURVES:
        monkeypatch.setattr(growth, f"measure_{name}", lambda *_: list(enumerate([10, 20, 40, 80], start=1)))
    points = [(2**n, cost) for n, cost in enumerate(costs)]
    monkeypatch.setattr(growth, "measure_corpus_memory", lambda _: points)
    result = growth.measure_growth(SimpleNamespace(), SimpleNamespace())
    if unmeasured == 3:
        assert "corpus_memory" not in result and result.keys() == set(CURVES) - {"corpus_memory"}
    else:
        assert result["corpus_memory"]["alone"]["exponent"] == pytest.approx(1.0)
        assert result["corpus_memory"]["alone"]["points"] == [list(point) for point in points[unmeasured:]]


@pytest.mark.parametrize(("runs", "counts"), [(0, []), (1, [1]), (5, [1, 2, 5]), (20, [2, 5, 10, 20])])
def test_grid_costs_the_sum_of_its_runs(monkeypatch, runs, counts):
    records = [
        SimpleNamespace(started=f"2026-01-{31 - run:02}", cost=SimpleNamespace(seconds=2.0**run)) for run in range(runs)
    ]
    monkeypatch.setattr(growth, "find_records", lambda _: records)
    in_order = [2.0**run for run in reversed(range(runs))]
    assert growth.measure_grid(SimpleNamespace(runs_dir=None)) == [(count, sum(in_order[:count])) for count in counts]
