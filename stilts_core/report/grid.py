"""The grid of a profile: its runs by row (what was learnt first) and column (the target), made comparable."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from re import fullmatch

from stilts_core.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, TASKS, task
from stilts_core.config import RunConfig
from stilts_core.report.measured import Measured, mean, of_runs

BASELINE = "none"
# What makes a row, a column or a seed: runs that agree in all other parameters are compared.
FREE = ("profile", "intermediate", "target", "seed", "mlm_weight", "mlm_languages", "sham_labels")


@dataclass(frozen=True)
class Cell:
    """The runs of one row and one column, which differ in their seeds alone."""

    row: str
    target: str
    records: tuple[dict, ...]

    @property
    def same_data(self) -> bool:
        """Whether the row learnt the target's own training set: no transfer between tasks."""
        return self.records[0]["same_data"]

    def score(self, average: str = "all") -> Measured | None:
        """The mean over languages: `all` of them, as XTREME has it, or the `non_english` ones; None without any."""
        scores = [record["averages"][average] for record in self.records]
        return of_runs(scores) if all(scores) else None

    def of(self, language: str) -> Measured:
        """The score in one language."""
        return of_runs([record["scores"][language] for record in self.records])

    @property
    def dev(self) -> float | None:
        """The mean English dev score of the target; None where the target has no training and no dev part."""
        found = [
            phase["dev"][self.target]["score"]
            for record in self.records
            for phase in record["phases"]
            if phase["name"] == "target" and phase["dev"].get(self.target)
        ]
        return sum(found) / len(found) if len(found) == len(self.records) else None


class Grid:
    """The comparable runs of one profile by row and target; `apart` are the others.

    Within a column, runs are compared that differ in row and seed alone and scored the same languages; of several such
    sets the one with most rows counts, then that with most runs, then the latest.
    """

    def __init__(self, records: Sequence[dict]):
        self.apart: list[dict] = []
        self.cells: dict[tuple[str, str], Cell] = {}
        columns = defaultdict(list)
        for record in records:
            columns[record["config"]["target"]].append(record)
        for target, found in columns.items():
            for row, own in self._comparable(found).items():
                self.cells[row, target] = Cell(row, target, tuple(own))
        rows, targets = {row for row, _ in self.cells}, {target for _, target in self.cells}
        self.rows = sorted(rows, key=row_order)
        self.targets = [name for name in TARGET_TASKS if name in targets]

    def _comparable(self, records: Sequence[dict]) -> dict[str, list[dict]]:
        """The runs of the column by row and in the order of their seeds; what is left goes to `apart`."""
        sets = defaultdict(list)
        for record in records:
            sets[_setting(record)].append(record)
        chosen = max(
            sets.values(),
            key=lambda runs: (len(set(map(row_of, runs))), len(runs), max(run["finished"] for run in runs)),
        )
        latest = {}
        for record in sorted(chosen, key=lambda record: record["finished"]):
            latest[row_of(record), seed_of(record)] = record
        kept = {id(record) for record in latest.values()}
        self.apart += [record for record in records if id(record) not in kept]
        rows = defaultdict(list)
        for (row, _), record in sorted(latest.items()):
            rows[row].append(record)
        return rows

    @cached_property
    def records(self) -> list[dict]:
        """The runs that the cells hold."""
        return [record for cell in self.cells.values() for record in cell.records]

    def column(self, target: str) -> list[Cell]:
        """The cells of a target in the order of the rows."""
        return [self.cells[row, target] for row in self.rows if (row, target) in self.cells]

    def difference(self, row: str, target: str, average: str = "all") -> Measured | None:
        """How much better than the baseline a row does in a target; None where one of both was not run."""
        cells = self.cells.get((row, target)), self.cells.get((BASELINE, target))
        if row == BASELINE or None in cells:
            return None
        there, here = (cell.score(average) for cell in cells)
        return there - here if there and here else None

    def counted(self, row: str) -> list[str]:
        """The targets that a row's average counts: those of XTREME that were run and share no data with the row."""
        return [
            target
            for target in self.targets
            if "xtreme" in task(target).languages
            and (row, target) in self.cells
            and not self.cells[row, target].same_data
            and (row == BASELINE or (BASELINE, target) in self.cells)
        ]

    def average(self, row: str, average: str = "all") -> Measured | None:
        """The mean over the counted targets: of the baseline's scores, of any other row's differences from them."""
        found = [
            self.cells[row, target].score(average) if row == BASELINE else self.difference(row, target, average)
            for target in self.counted(row)
        ]
        found = [value for value in found if value]
        return mean(found) if found else None


def row_of(record: dict) -> str:
    """The row of the grid that a run stands in."""
    return RunConfig.from_dict(record["config"]).row


def parts_of(row: str) -> tuple[list[str], bool, bool]:
    """What a row learnt: its tasks (or none, all, mlm), whether with MLM beside them, whether with shuffled labels."""
    first, *others = row.split("+")
    return [first, *(name for name in others if name not in ("mlm", "sham"))], "mlm" in others, "sham" in others


def seed_of(record: dict) -> tuple[int, str]:
    """What tells the runs of a cell apart: the seed, and of laboratory encoders that of the pretraining, too."""
    return record["config"]["seed"], record["encoder"]["name"]


def row_order(row: str) -> tuple:
    """A sorting key: no intermediate task, the paper's nine, other tasks, all, MLM; with MLM after all without it."""
    tasks, mlm, sham = parts_of(row)
    known = [BASELINE, *INTERMEDIATE_TASKS, *(name for name in TASKS if name not in INTERMEDIATE_TASKS), "all", "mlm"]
    return sham, mlm, len(tasks) > 1, [known.index(name) for name in tasks]


def _setting(record: dict) -> tuple:
    """What must be equal for two runs of a column to be compared."""
    config = RunConfig.from_dict(record["config"]).deciding()
    if fullmatch(r"lab-\d+", str(config["encoder"])):
        config["encoder"] = "lab"  # whose number is a seed
    decided = tuple(sorted((name, str(value)) for name, value in config.items() if name not in FREE))
    return decided, tuple(sorted(record["scores"]))
