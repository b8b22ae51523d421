"""The paper's claims: estimates against plain loops over records, verdicts, and the page in every state."""

import csv
import re
from types import SimpleNamespace

import numpy as np
import pytest
from record_fixture import ROWS, XTREME, grid_records, with_values
from scipy import stats

from stilts_core.report.analysis.claims import NEGLIGIBLE, ClaimPart, average_gain, gain_on, judge_claims, row_minus_row
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.learning import PhaseScores
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import claims
from stilts_core.report.pages.recorded import RecordedGrid
from stilts_core.report.tables.numbers import signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS
from stilts_core.tasks.facts import read_facts

SEEDS = range(4)


@pytest.fixture(scope="module")
def records():
    return grid_records("small", [*ROWS, "all+mlm"], XTREME, SEEDS)


@pytest.fixture(scope="module")
def grid(records):
    return Grid(records)


def gain(records, row: str, target: str, seed: int) -> float:
    """The difference of the means over languages, from the records alone."""
    found = {run.row: run for run in records if run.target == target and run.seed == seed}
    ours, base = ([score.score for score in found[name].scores.values()] for name in (row, "none"))
    return float(np.mean(ours) - np.mean(base))


def same_data(records, row: str, target: str) -> bool:
    return next(run.same_data for run in records if (run.row, run.target) == (row, target))


def test_estimates_and_intervals_equal_plain_loops_over_records(records, grid):
    estimates = judge_claims(claims.PARTS, {"wide": grid})
    squad = [
        np.mean([gain(records, "squad", target, seed) for target in XTREME if not same_data(records, "squad", target)])
        for seed in SEEDS
    ]
    tasks = [row for row in INTERMEDIATE_TASKS if not same_data(records, row, "tydiqa")]
    tydiqa = [np.mean([gain(records, row, "tydiqa", seed) for row in tasks]) for seed in SEEDS]
    for words, expected in (("SQuAD, mean over targets", squad), ("TyDiQA, mean over the nine tasks", tydiqa)):
        value = next(estimate.value for (_, part), estimate in estimates.items() if part.words == words)
        assert value.value == pytest.approx(np.mean(expected))
        assert value.interval == pytest.approx(stats.t.interval(0.95, 3, np.mean(expected), stats.sem(expected)))


def test_difference_of_two_rows_counts_the_targets_of_both(records, grid):
    measured = row_minus_row("all", "squad")(grid)
    both = [t for t in XTREME if not same_data(records, "all", t) and not same_data(records, "squad", t)]
    for (seed, _), value in measured.items():
        expected = np.mean([gain(records, "all", t, seed) - gain(records, "squad", t, seed) for t in both])
        assert value.value == pytest.approx(expected)


def raised(records, row: str, by: float, noise: float = 0.3):
    """The records, with a row whose scores differ from the baseline's by `by` points, and a little noise by seed."""
    base = {(run.target, run.seed): run for run in records if run.row == "none"}
    made = []
    for run in records:
        if run.row == row:
            change = by + noise * (run.seed - 1.5)
            scores = {f"scores.{code}.score": score.score + change for code, score in
                      base[run.target, run.seed].scores.items()}  # fmt: skip
            means = {f"averages.{name}.score": getattr(base[run.target, run.seed].averages, name).score + change
                     for name in ("all", "non_english")}  # fmt: skip
            run = with_values(run, scores | means)
        made.append(run)
    return made


@pytest.mark.parametrize(
    "by, benefit, verdict",
    [(5, True, "agrees"), (-5, True, "disagrees"), (0.01, True, "cannot tell"),
     (5, False, "disagrees"), (-5, False, "agrees"), (0.01, False, "agrees")],
)  # fmt: skip
def test_verdict_follows_the_sign_of_a_clear_difference(by, benefit, verdict):
    records = raised(grid_records("small", ("none", "squad"), ("udpos", "tydiqa"), SEEDS), "squad", by)
    part = ClaimPart(1, "SQuAD", average_gain("squad"), benefit=benefit)
    (estimate,) = judge_claims([part], {"wide": Grid(records)}).values()
    assert estimate.verdict == verdict and estimate.value.value == pytest.approx(by)
    assert NEGLIGIBLE == 1


def test_one_seed_and_a_missing_row_have_no_verdict():
    grid = Grid(grid_records("small", ("none", "squad"), ("udpos", "tydiqa")))
    one, missing = judge_claims(
        [ClaimPart(1, "SQuAD", average_gain("squad")), ClaimPart(4, "XNLI", gain_on("xnli"))], {"wide": grid}
    ).values()
    assert (one.verdict, missing.verdict, missing.value) == ("cannot tell", "not tested", None)


def write(tmp_path, interim=False, **grids) -> tuple[str, list[dict[str, str]]]:
    recorded = {name: RecordedGrid(SimpleNamespace(is_interim=interim), grid) for name, grid in grids.items()}
    writer = PageWriter(tmp_path)
    claims.write_page(writer, recorded)
    with (tmp_path / "generated/claims.csv").open(newline="") as file:
        return (tmp_path / "generated/claims.md").read_text(), list(csv.DictReader(file))


def test_page_has_every_claim_and_its_numbers(tmp_path, grid):
    page, rows = write(tmp_path, wide=grid)
    assert re.findall(r">(\d)\. ", page) == [fact["number"] for fact in read_facts("claims")]
    assert len(rows) == len(claims.PARTS)
    for row in rows:
        number = f"{abs(float(row['value'])):.1f}"
        assert number in page and row["verdict"] in page
    assert "Not recorded yet: the grid of [real languages](real.md)." in page
    stated = [row for row in rows if row["paper"]]
    beyond = {claims.BELOW: [row for row in stated if float(row["high"]) < float(row["paper"])],
              claims.ABOVE: [row for row in stated if float(row["low"]) > float(row["paper"])]}  # fmt: skip
    assert all(page.count(f"<br>{words}") == len(found) for words, found in beyond.items())
    assert 0 < sum(map(len, beyond.values())) < len(rows)
    page, rows = write(tmp_path, wide=grid, real=grid)
    assert [row["arm"] for row in rows].count("real languages") == len(rows) / 2 == len(claims.PARTS)
    assert "Not recorded yet" not in page


def test_page_says_what_was_not_learnt_and_what_a_mean_is_without_its_most_influential_task(tmp_path, records, grid):
    idle = [PhaseScores("hellaswag", "hellaswag", (26.0,), 100, 25.0), PhaseScores("mnli", "mnli", (60.0,), 100, 35.7)]
    recorded = {"real": RecordedGrid(SimpleNamespace(is_interim=False), grid, idle)}
    claims.write_page(PageWriter(tmp_path), recorded)
    page = (tmp_path / "generated/claims.md").read_text()
    assert page.count("no learning shown: HellaSwag") == sum("hellaswag" in part.rows for part in claims.PARTS) == 4
    tasks = [row for row in INTERMEDIATE_TASKS if not same_data(records, row, "tydiqa")]
    gains = {row: np.mean([gain(records, row, "tydiqa", seed) for seed in SEEDS]) for row in tasks}
    task = max(tasks, key=lambda row: abs(gains[row] - np.mean(list(gains.values()))))
    rest = np.mean([value for row, value in gains.items() if row != task])
    assert f"TyDiQA, mean over the nine tasks (real languages): without {short_title(task)}, {signed(rest, 1)}" in page
    assert "of 9 languages)" in page


def test_figure_shows_every_part_and_the_paper_s_numbers_and_its_title_counts_verdicts(tmp_path, monkeypatch, grid):
    drawn = {}
    monkeypatch.setattr(claims, "draw_intervals", lambda rows, title, axis, **options: drawn.update(rows=rows) or title)
    page, lines = write(tmp_path, wide=grid)
    facts = {float(fact["value"]) for fact in read_facts("published_claims") if fact["unit"] == "points"}
    stated = [row.intervals[0].value for row in drawn["rows"] if row.intervals[0]]
    assert facts <= set(stated) and len(stated) == len(facts) + 1  # and the difference of two of them
    assert len(drawn["rows"]) == len(claims.PARTS)
    for row, line in zip(drawn["rows"], lines, strict=True):
        own = row.intervals[1]
        assert (own.value, own.low, own.high) == pytest.approx([float(line[name]) for name in ("value", "low", "high")])
    title = re.match(r"!\[(.*?)\]\(generated/claims.svg\)", page)[1]
    verdicts = [line["verdict"] for line in lines]
    for verdict, words in (("agrees", "agree"), ("disagrees", "disagree"), ("cannot tell", "stay open")):
        assert (f"{verdicts.count(verdict)} {words}" in title) == (verdict in verdicts)


def test_verdicts_wait_for_a_grid_that_is_not_complete(tmp_path, grid):
    page, rows = write(tmp_path, interim=True, wide=grid)
    assert {row["verdict"] for row in rows} == {"pending"} and "is *pending* while runs" in page
    assert not re.search(r"<b>(agrees|disagrees)</b>", page)
    assert f"<br>{claims.BELOW}" not in page and f"<br>{claims.ABOVE}" not in page
    assert re.match(r"!\[Of 10 parts of the paper's claims, \d+ have an interim estimate and none a verdict", page)


def test_a_grid_that_is_not_complete_leaves_the_verdicts_of_another_one_alone():
    """The gain is clear alone (p = .034), and would not be with a second difference that is corrected with it."""
    grids = {
        name: Grid(raised(grid_records("small", ("none", "squad"), ("udpos",), SEEDS), "squad", by))
        for name, by in (("wide", 0.72), ("real", 0.1))
    }
    part = ClaimPart(1, "SQuAD", average_gain("squad"))
    assert judge_claims([part], grids)["wide", part].verdict == "cannot tell"
    judged = judge_claims([part], grids, interim=["real"])
    assert (judged["wide", part].verdict, judged["real", part].verdict) == ("agrees", "pending")


def test_page_without_grids_shows_the_claims_alone(tmp_path):
    page, rows = write(tmp_path)
    assert page.startswith("![The paper states gains of +5.4 to +8.7 points; this book has no recorded grid")
    assert "<dc:title>The paper states gains" in (tmp_path / "generated/claims.svg").read_text()
    missing = "the grid of [laboratory](wide.md) and the grid of [real languages](real.md)"
    assert rows == [] and f"Not recorded yet: {missing}." in page
    assert not re.search(r"<b>(agrees|disagrees)</b>", page)
