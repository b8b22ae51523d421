from types import SimpleNamespace

import pytest

from stilts_core.bench import growth

CURVES = ("languages", "examples", "length", "corpus", "corpus_memory", "grid")


@pytest.mark.parametrize("unseen", [1, 2, 3])
def test_a_point_too_small_to_see_is_left_out_of_its_curve(monkeypatch, unseen):
    costs = [0] * unseen + [40, 80, 160][: 4 - unseen]
    for name in CURVES:
        monkeypatch.setattr(growth, name, lambda *_: list(enumerate([10, 20, 40, 80], start=1)))
    points = [(2**n, cost) for n, cost in enumerate(costs)]
    monkeypatch.setattr(growth, "corpus_memory", lambda _: points)
    result = growth.measure(SimpleNamespace(), SimpleNamespace())
    if unseen == 3:
        assert "corpus_memory" not in result and result.keys() == set(CURVES) - {"corpus_memory"}
    else:
        assert result["corpus_memory"]["alone"]["exponent"] == pytest.approx(1.0)
        assert result["corpus_memory"]["alone"]["points"] == [list(point) for point in points[unseen:]]


@pytest.mark.parametrize(("runs", "counts"), [(0, []), (1, [1]), (5, [1, 2, 5]), (20, [2, 5, 10, 20])])
def test_grid_costs_what_its_runs_cost_together(monkeypatch, runs, counts):
    records = [{"started": f"2026-01-{31 - run:02}", "cost": {"seconds": 2.0**run}} for run in range(runs)]
    monkeypatch.setattr(growth, "find_records", lambda _: records)
    in_order = [2.0**run for run in reversed(range(runs))]
    assert growth.grid(SimpleNamespace(runs_dir=None)) == [(count, sum(in_order[:count])) for count in counts]
