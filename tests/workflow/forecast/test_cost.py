"""The cost of a grid: shared phases once, chains, and bounds of wall time against a simulated scheduler."""

import heapq
import random

import pytest

from stilts_core.config import RunConfig
from stilts_core.encoders.sizes import XLMR_LARGE
from stilts_core.workflow.forecast.cost import GridCost, PlannedJob, forecast_grid
from stilts_core.workflow.forecast.rates import Rate
from stilts_core.workflow.forecast.work import Work
from stilts_core.workflow.plan import ROWS, TARGETS, grid, jobs_of

ONE_A_SECOND = Rate(1.0, "GPU", "invented", False, 1.0, 1.0)


def count_kinds(cost: GridCost) -> dict[str, int]:
    return {kind: cost.count(kind) for kind in ("pretrain", "intermediate", "pair")}


def test_grid_of_the_paper_needs_neither_data_nor_encoder(monkeypatch, tmp_path):
    monkeypatch.setenv("STILTS_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no cache"))
    cost = forecast_grid(grid(RunConfig(profile="paper"), ROWS, TARGETS, [0]))
    assert count_kinds(cost) == {"pretrain": 0, "intermediate": 11, "pair": 108}


@pytest.mark.parametrize("rows", [("none", "mnli", "squad>mlm", "squad"), ("none", "mnli+mixed", "qqp>mnli+mixed")])
def test_jobs_are_those_of_the_sweep(rows, tmp_path):
    configs = grid(RunConfig(runs_dir=str(tmp_path)), rows, ("xnli", "udpos"), (0, 1))
    planned, kinds = forecast_grid(configs), [job.kind for job in jobs_of(configs)]
    assert count_kinds(planned) == {kind: kinds.count(kind) for kind in ("pretrain", "intermediate", "pair")}
    whole = {job.title for job in jobs_of(configs)}
    assert len(whole) == len(kinds)


def test_second_seed_doubles_the_cost_and_further_targets_share_the_intermediate_phase():
    one, two = (forecast_grid(grid(RunConfig(profile="paper"), ("mnli",), ("xnli",), range(n))) for n in (1, 2))
    assert two.work.flops == pytest.approx(2 * one.work.flops)
    more = forecast_grid(grid(RunConfig(profile="paper"), ("mnli",), ("xnli", "pawsx"), (0,)))
    assert more.count("intermediate") == 1 and more.work.flops < 2 * one.work.flops


def test_longest_chain_is_a_phase_and_the_dearest_run_after_it():
    cost = forecast_grid(grid(RunConfig(profile="paper"), ("none", "qqp", "qqp>mnli"), ("xnli", "pawsx"), (0,)))
    assert [job.title.split(",")[0] for job in cost.longest_chain(ONE_A_SECOND)] == [
        "qqp",
        "qqp>mnli",
        "qqp>mnli → xnli",
    ]


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_bounds_hold_for_a_scheduler_that_leaves_no_worker_idle(workers):
    """Random costs in a grid's graph, done in random order by a simulated list scheduler."""
    rng = random.Random(workers)
    jobs = {f"phase {n}": Work(flops=rng.random() * 5) for n in range(6)}
    needs = {f"run {n} {m}": (f"phase {n}",) for n in range(6) for m in range(4)}
    jobs |= {name: Work(flops=rng.random()) for name in needs}
    planned = {name: PlannedJob(name, "pair", name, work, needs.get(name, ())) for name, work in jobs.items()}
    least, most = GridCost(planned, XLMR_LARGE).wall_seconds(ONE_A_SECOND, workers)
    assert least - 1e-9 <= simulate(planned, workers, rng) <= most + 1e-9
    assert workers > 1 or least == pytest.approx(most)


def simulate(jobs: dict[str, PlannedJob], workers: int, rng: random.Random) -> float:
    """When the last job ends, if every free worker takes any ready job."""
    waiting, done, running, now = set(jobs), set(), [], 0.0
    while waiting or running:
        ready = [name for name in sorted(waiting) if set(jobs[name].needs) <= done]
        rng.shuffle(ready)
        for name in ready[: workers - len(running)]:
            waiting.remove(name)
            heapq.heappush(running, (now + jobs[name].work.flops, name))
        now, name = heapq.heappop(running)
        done.add(name)
    return now
