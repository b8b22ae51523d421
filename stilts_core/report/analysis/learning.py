"""What the intermediate phases of a recorded grid learnt: English dev scores beside what chance scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stilts_core.config import LABORATORY
from stilts_core.parameters import GridRow
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.studies.results import StudyTable
from stilts_core.tasks.chance import chance

PHASE = "dev:intermediate:"  # begins the metric of a kept table that has a task's dev score after this phase
FEW = 3  # phases, from which on equal scores are no coincidence


@dataclass(frozen=True)
class PhaseScores:
    """The English dev scores of one task after the intermediate phases of one row, in percent, one for each phase.

    `items` is the number of dev items of a phase. `chance` is None where no answer scores without reading. `sham`: the
    labels were permuted, so that nothing could be learnt.
    """

    row: str
    task: str
    scores: tuple[float, ...]
    items: int
    chance: float | None
    sham: bool = False

    @property
    def mean(self) -> float:
        """The mean over the phases."""
        return sum(self.scores) / len(self.scores)

    @property
    def learnt(self) -> bool:
        """Whether nothing speaks against it that the task was learnt.

        The Wilson interval of the mean, over the items of one phase because all phases may have the same, must lie
        above chance. And not all phases may have one score, as if each gave every item the same answer.
        """
        from statsmodels.stats.proportion import proportion_confint

        if len(self.scores) >= FEW and len(set(self.scores)) == 1 and self.mean < 100:
            return False
        low, _ = proportion_confint(self.mean / 100 * self.items, self.items, method="wilson")
        return self.chance is None or 100 * low > self.chance


def intermediate_scores(table: StudyTable, runs: Iterable[GridRun]) -> list[PhaseScores]:
    """Return the dev scores after the intermediate phases of `runs`, which are a table's, by row and task."""
    frame = table.frame[table.frame["metric"].str.startswith(PHASE)]
    by_run = dict(list(frame.groupby("run", sort=False)))
    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    facts: dict[tuple[str, str], tuple[int, float | None]] = {}
    for run in runs:
        if run.run_id not in by_run:
            continue
        rows = by_run[run.run_id]
        data = "lab" if run.config.source == LABORATORY else "publishers"
        for metric, score, items in zip(rows["metric"], rows["score"], rows["n"], strict=True):
            key = (run.row, metric.removeprefix(PHASE))
            found.setdefault(key, {})[run.encoder_name, run.seed] = score
            facts[key] = (items, chance(data, key[1]))
    return [
        PhaseScores(row, task, tuple(scores.values()), *facts[row, task], sham=GridRow.parse(row).sham)
        for (row, task), scores in found.items()
    ]


def not_learnt(scores: Iterable[PhaseScores]) -> Mapping[str, tuple[str, ...]]:
    """The tasks that were not learnt, by row; a row that learnt all of its tasks is left out, and so is a sham."""
    by_row: dict[str, tuple[str, ...]] = {}
    for entry in scores:
        if not entry.sham and not entry.learnt:
            by_row[entry.row] = (*by_row.get(entry.row, ()), entry.task)
    return by_row
