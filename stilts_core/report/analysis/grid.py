"""The grid of a profile: comparable runs by row (the intermediate task) and column (the target task)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from re import fullmatch
from typing import Literal

from stilts_core.config import GridRow
from stilts_core.report.analysis.measurement import Measurement, mean, measure_runs
from stilts_core.runs.record import Record
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
    """The runs of one row and one target. They differ only in their seeds."""

    row: str
    target: str
    records: tuple[Record, ...]

    @property
    def same_data(self) -> bool:
        """Whether the row was trained on the target's own training set, so that nothing transfers between tasks."""
        return self.records[0].same_data

    @property
    def is_control(self) -> bool:
        """Whether the intermediate labels were shuffled."""
        return GridRow.parse(self.row).sham

    def score(self, average: Average = "all") -> Measurement | None:
        """The mean over languages; None if no language of `average` was scored."""
        averages = [record.averages for record in self.records]
        scores = [entry.all if average == "all" else entry.non_english for entry in averages]
        present = [score for score in scores if score]
        return measure_runs(present) if len(present) == len(scores) else None

    def score_in(self, language: str) -> Measurement:
        """The score in one language."""
        return measure_runs([record.scores[language] for record in self.records])

    @property
    def dev_score(self) -> float | None:
        """The mean English dev score of the target over the runs; None if the target has no training or dev part."""
        scores = [
            phase.dev[self.target].score
            for record in self.records
            for phase in record.phases
            if phase.name != "intermediate" and self.target in phase.dev
        ]
        return sum(scores) / len(scores) if len(scores) == len(self.records) else None


class Grid:
    """The comparable runs of one profile by row and target; `incomparable` lists the others.

    The runs of a column are comparable if they scored the same languages and differ only in row and seed. If a column
    has several such sets of runs, the set with the most rows counts, then the one with the most runs, then the latest.
    In the same way the runs of a row have one setting of what stands beside its tasks, such as its weight.
    """

    def __init__(self, records: Sequence[Record]):
        columns = defaultdict(list)
        for record in records:
            columns[record.target].append(record)
        self.cells: dict[tuple[str, str], Cell] = {
            (row, target): Cell(row, target, tuple(runs))
            for target, column in columns.items()
            for row, runs in _comparable_runs(column).items()
        }
        rows, targets = {row for row, _ in self.cells}, {target for _, target in self.cells}
        self.rows = sorted(rows, key=row_sort_key)
        self.targets = [name for name in TARGET_TASKS if name in targets]
        in_cells = {id(record) for record in self.records}
        self.incomparable = [record for record in records if id(record) not in in_cells]

    @cached_property
    def records(self) -> list[Record]:
        """The runs of all cells."""
        return [record for cell in self.cells.values() for record in cell.records]

    def column(self, target: str) -> list[Cell]:
        """The cells of a target in the order of the rows."""
        return [self.cells[row, target] for row in self.rows if (row, target) in self.cells]

    def difference(self, row: str, target: str, average: Average = "all") -> Measurement | None:
        """The gain of a row over the baseline on a target; None for the baseline, or if one of the two has no score."""
        cell, base = self.cells.get((row, target)), self.cells.get((BASELINE, target))
        if row == BASELINE or cell is None or base is None:
            return None
        score, base_score = cell.score(average), base.score(average)
        return score - base_score if score and base_score else None

    def counted_targets(self, row: str) -> list[str]:
        """The targets that enter a row's average: XTREME's targets that were run and share no data with the row."""
        return [
            target
            for target in self.targets
            if "xtreme" in get_task(target).languages
            and (row, target) in self.cells
            and not self.cells[row, target].same_data
            and (row == BASELINE or (BASELINE, target) in self.cells)
        ]

    def average(self, row: str, average: Average = "all") -> Measurement | None:
        """The mean over the counted targets: the baseline's mean score, or any other row's mean gain over it."""
        values = [
            self.cells[row, target].score(average) if row == BASELINE else self.difference(row, target, average)
            for target in self.counted_targets(row)
        ]
        present = [value for value in values if value]
        return mean(present) if present else None


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


def _comparable_runs(column: Sequence[Record]) -> dict[str, list[Record]]:
    """The comparable runs of one target by row, ordered by seed. Of a repeated run, the latest counts."""
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
    kept = sorted((run for runs in most.values() for run in runs), key=lambda run: run.finished)
    latest = {(run.row, _replicate(run)): run for run in kept}
    rows = defaultdict(list)
    for (row, _), record in sorted(latest.items(), key=lambda item: item[0]):
        rows[row].append(record)
    return rows


def _beside(record: Record) -> str:
    """The setting of what stands beside the tasks of a run, as text."""
    fields = record.config.deciding()
    return repr({name: value for name, value in fields.items() if name.startswith(BESIDE_FIELDS)})


def _replicate(record: Record) -> tuple[int, str]:
    """What distinguishes the runs of a cell: the seed, and the encoder, whose name holds its pretraining seed."""
    return record.seed, record.encoder.name


def _is_grid_field(name: str) -> bool:
    return name in GRID_FIELDS or name.startswith(BESIDE_FIELDS)


def _comparison_key(record: Record) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What two runs of a column must share to be comparable: source, other deciding fields, and scored languages."""
    fields = record.config.deciding()
    if match := fullmatch(r"(lab|lab-wide)-\d+", str(fields["encoder"])):
        fields["encoder"] = match[1]  # the number is a pretraining seed
    settings = tuple(sorted((name, str(value)) for name, value in fields.items() if not _is_grid_field(name)))
    return record.config.data_source, settings, tuple(sorted(record.scores))
