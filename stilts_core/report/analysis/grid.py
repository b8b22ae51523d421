"""The grid of a profile: comparable runs by row (the intermediate task) and column (the target task)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from re import fullmatch
from typing import Literal

from stilts_core.config import GridRow
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.measurement import Measurement, measure_run
from stilts_core.report.analysis.replicates import (
    Replicate,
    Replicates,
    average_parts,
    compare,
    replicate_of,
    subtract_pairs,
    summarise,
)
from stilts_core.tasks.auxiliaries import AUXILIARIES
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, TASKS, get_task

BASELINE = "none"
# Fields of RunConfig that give a run its row, its column or its seed. Comparable runs agree in all other fields; in
# those of what stands beside the tasks, only the runs of one row agree.
GRID_FIELDS = ("profile", "intermediate", "target", "seed", "sham_labels", "mixed")
BESIDE_FIELDS = ("auxiliary", "text_")

Average = Literal["all", "non_english"]  # the languages of a mean: all, as XTREME counts, or all but English


@dataclass(frozen=True)
class Cell:
    """The runs of one row and one target. They differ only in their seeds and their encoders' pretraining seeds."""

    row: str
    target: str
    records: tuple[GridRun, ...]

    @property
    def same_data(self) -> bool:
        """Whether the row was trained on the target's own training set, so that nothing transfers between tasks."""
        return self.records[0].same_data

    @property
    def is_control(self) -> bool:
        """Whether the intermediate labels were shuffled."""
        return GridRow.parse(self.row).sham

    def averages(self, average: Average = "all") -> dict[Replicate, Measurement]:
        """Each run's mean over languages; empty if a run has no score in any language of `average`."""
        averages = {replicate_of(record): record.averages for record in self.records}
        scores = {key: entry.all if average == "all" else entry.non_english for key, entry in averages.items()}
        present = {key: measure_run(score) for key, score in scores.items() if score}
        return present if len(present) == len(scores) else {}

    def scores_in(self, language: str) -> dict[Replicate, Measurement]:
        """Each run's score in one language."""
        return {replicate_of(record): measure_run(record.scores[language]) for record in self.records}

    @property
    def dev_scores(self) -> dict[Replicate, float]:
        """Each run's English dev score of the target; empty if the target has no training or dev part."""
        found = {replicate_of(record): record.target_dev for record in self.records}
        scores = {key: score for key, score in found.items() if score is not None}
        return scores if len(scores) == len(self.records) else {}

    def score(self, average: Average = "all") -> Measurement | None:
        """The mean over languages; None if no language of `average` was scored."""
        return summarise(self.averages(average))

    def score_in(self, language: str) -> Measurement:
        """The score in one language. Raises LookupError if a run has no score in it."""
        score = summarise(self.scores_in(language))
        if score is None:
            raise LookupError(f"no run of {self.row} → {self.target}")
        return score


class Grid:
    """The comparable runs of one profile by row and target; `incomparable` lists the others.

    The runs of a column are comparable if they scored the same languages and differ only in row and seed. If a column
    has several such sets of runs, the set with the most rows counts, then the one with the most runs, then the latest.
    In the same way the runs of a row have one setting of what stands beside its tasks, such as its weight. With
    `designed`, the runs are those of one protocol, whose arms are comparable by design: a task may have its own steps.
    """

    def __init__(self, records: Sequence[GridRun], *, designed: bool = False):
        columns = defaultdict(list)
        for record in records:
            columns[record.target].append(record)
        self.cells: dict[tuple[str, str], Cell] = {
            (row, target): Cell(row, target, tuple(runs))
            for target, column in columns.items()
            for row, runs in (_runs_by_row(column) if designed else _comparable_runs(column)).items()
        }
        rows, targets = {row for row, _ in self.cells}, {target for _, target in self.cells}
        self.rows = sorted(rows, key=row_sort_key)
        self.targets = [name for name in TARGET_TASKS if name in targets]
        in_cells = {id(record) for record in self.records}
        self.incomparable = [record for record in records if id(record) not in in_cells]

    @cached_property
    def records(self) -> list[GridRun]:
        """The runs of all cells."""
        return [record for cell in self.cells.values() for record in cell.records]

    def column(self, target: str) -> list[Cell]:
        """The cells of a target in the order of the rows."""
        return [self.cells[row, target] for row in self.rows if (row, target) in self.cells]

    def is_flat(self, target: str) -> bool:
        """Whether all rows of a target, three or more, have the same score in every language with each seed.

        Then the runs most likely gave every item the same answer, because they did not learn the target.
        """
        column, scores = self.column(target), defaultdict(set)
        for run in chain.from_iterable(cell.records for cell in column):
            scores[replicate_of(run)].add(tuple((code, entry.score) for code, entry in run.scores.items()))
        return len(column) > 2 and all(len(different) == 1 for different in scores.values())

    def paired(self, row: str, target: str, average: Average = "all") -> dict[Replicate, Measurement]:
        """The differences of a row's runs from the baseline's runs with the same seed and encoder.

        Those of the baseline are zero. Empty if no two runs can be paired, or if one of the two cells has no score.
        """
        cell, base = self.cells.get((row, target)), self.cells.get((BASELINE, target))
        if cell is None or base is None:
            return {}
        if row == BASELINE:
            return dict.fromkeys(base.averages(average), Measurement(0.0, 0.0))
        return subtract_pairs(cell.averages(average), base.averages(average))

    def difference(self, row: str, target: str, average: Average = "all") -> Measurement | None:
        """The gain of a row over the baseline on a target; None for the baseline, or if no two runs can be paired."""
        return None if row == BASELINE else compare(self.paired(row, target, average))

    def difference_in(self, row: str, target: str, language: str) -> Measurement | None:
        """The gain of a row over the baseline in one language, untested; None as for `difference`."""
        cell, base = self.cells.get((row, target)), self.cells.get((BASELINE, target))
        if row == BASELINE or cell is None or base is None:
            return None
        return summarise(subtract_pairs(cell.scores_in(language), base.scores_in(language)))

    def scored_targets(self, row: str) -> list[str]:
        """XTREME's targets that were run with a row and share no data with it."""
        return [
            target
            for target in self.targets
            if "xtreme" in get_task(target).languages
            and (row, target) in self.cells
            and not self.cells[row, target].same_data
        ]

    def counted_targets(self, row: str) -> list[str]:
        """The targets that enter a row's average: those of `scored_targets` that the baseline can be compared on."""
        return [target for target in self.scored_targets(row) if row == BASELINE or self.paired(row, target)]

    def mean_score(self, row: str, average: Average = "all") -> Measurement | None:
        """The mean score over the scored targets of a row, within each seed and encoder that all of them have.

        It needs no baseline. None if there is no such target or no such seed.
        """
        scores = (self.cells[row, target].averages(average) for target in self.scored_targets(row))
        return summarise(average_parts(_present(scores)))

    def average(self, row: str, average: Average = "all") -> Measurement | None:
        """The mean over the counted targets: the baseline's mean score, or any other row's mean gain over it.

        It is taken within each seed and encoder that all these targets have; None if there is none.
        """
        if row == BASELINE:
            return self.mean_score(row, average)
        targets = self.counted_targets(row)
        return compare(average_parts(_present(self.paired(row, target, average) for target in targets)))


def grids_by_encoder(records: Sequence[GridRun]) -> list[Grid]:
    """A grid for each encoder, the one with the most rows and columns first, then the one with the latest run.

    Laboratory encoders that differ only in their pretraining seeds are one encoder, with several replicates.
    """
    encoders = defaultdict(list)
    for record in records:
        encoders[_encoder_of(record)].append(record)
    grids = (Grid(runs) for runs in encoders.values())
    return sorted(grids, key=lambda grid: (len(grid.cells), max(run.finished for run in grid.records)), reverse=True)


def row_sort_key(row: str) -> tuple[bool, int, bool, int, bool, list[int]]:
    """The key that sorts rows: none, the paper's nine tasks, other tasks, all, mlm, combinations of tasks, then chains.

    Rows of joint training follow all other rows, and rows with MLM beside their tasks follow those without; then come
    those with an adversary and its kin, and rows with shuffled labels come last.
    """
    links, auxiliary, sham, mixed = GridRow.parse(row)
    tasks = list(chain.from_iterable(links))
    order = [BASELINE, *INTERMEDIATE_TASKS, *(name for name in TASKS if name not in INTERMEDIATE_TASKS), "all", "mlm"]
    beside = ["", *AUXILIARIES].index(auxiliary)
    return sham, beside, mixed, len(links), len(tasks) > 1, [order.index(name) for name in tasks]


def _comparable_runs(column: Sequence[GridRun]) -> dict[str, list[GridRun]]:
    """The comparable runs of one target by row, ordered by seed."""
    sets = defaultdict(list)
    for record in column:
        sets[_comparison_key(record)].append(record)
    chosen = max(
        sets.values(),
        key=lambda runs: (len({run.row for run in runs}), len(runs), max(run.finished for run in runs)),
    )
    settings = defaultdict(list)
    for run in chosen:
        settings[run.row, _beside(run)].append(run)
    by_size = sorted(settings.items(), key=lambda item: (len(item[1]), max(run.finished for run in item[1])))
    most = {row: runs for (row, _), runs in by_size}  # the largest set of a row, then the latest, comes last
    return _runs_by_row([run for runs in most.values() for run in runs])


def _runs_by_row(runs: Sequence[GridRun]) -> dict[str, list[GridRun]]:
    """The runs of one target by row, ordered by seed. Of a repeated run, the latest counts."""
    latest = {(run.row, replicate_of(run)): run for run in sorted(runs, key=lambda run: run.finished)}
    rows = defaultdict(list)
    for (row, _), run in sorted(latest.items(), key=lambda item: item[0]):
        rows[row].append(run)
    return rows


def _present(parts: Iterable[Replicates]) -> list[Replicates]:
    """The parts that have a replicate: a target without languages besides English has none without English."""
    return [part for part in parts if part]


def _beside(record: GridRun) -> str:
    """The setting of what stands beside the tasks of a run, as text."""
    fields = record.config.deciding()
    return repr({name: value for name, value in fields.items() if name.startswith(BESIDE_FIELDS)})


def _encoder_of(record: GridRun) -> tuple[str, str]:
    """The encoder and the fingerprint of its files; the laboratory's stand for all their pretraining seeds."""
    name = str(record.config.deciding()["encoder"])
    match = fullmatch(r"(lab|lab-wide)(-\d+)?", name)  # the number is a pretraining seed
    return (match[1], "") if match else (name, record.encoder_fingerprint)


def _is_grid_field(name: str) -> bool:
    return name in GRID_FIELDS or name.startswith(BESIDE_FIELDS)


def _comparison_key(record: GridRun) -> tuple[str, tuple[str, str], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What two runs of a column must share to be comparable.

    These are the source, other deciding fields, scored languages, and the encoder's files: its folder may have been
    overwritten between two runs.
    """
    fields = {name: str(value) for name, value in record.config.deciding().items() if not _is_grid_field(name)}
    del fields["encoder"]  # its name may hold a pretraining seed
    return record.config.data_source, _encoder_of(record), tuple(sorted(fields.items())), tuple(sorted(record.scores))
