"""Runs that were done again here, beside the same runs in the table that the book keeps."""

from dataclasses import dataclass
from pathlib import Path

from stilts_core.errors import StudyError
from stilts_core.studies.conduct import Study, gather
from stilts_core.studies.groups import ENGLISH
from stilts_core.studies.results import StudyTable, read_table

_KEY = ["run", "language"]
_ROUNDING = 1e-9  # points, of a mean


@dataclass(frozen=True)
class Reproduction:
    """How runs here agree with recorded ones.

    `outside` describes every run whose mean over the languages except English lies outside the recorded 95 % interval
    over test items. `scores` counts the scores of single languages, `inside` those within their recorded intervals;
    `largest` is the largest difference of a score, in points.
    """

    runs: int
    outside: tuple[str, ...]
    scores: int
    inside: int
    largest: float

    @property
    def sentence(self) -> str:
        """What agrees with the recorded runs, and what does not."""
        return "\n".join(
            [
                f"Runs that were done here and are recorded: {self.runs}. The means of {self.runs - len(self.outside)} "
                f"lie within their recorded intervals, and {self.inside} of {self.scores} scores of single languages. "
                f"The largest difference of a score is {self.largest:.2f} points.",
                *self.outside,
            ]
        )


def compare_runs(study: Study, runs_dir: Path, recorded: Path) -> Reproduction:
    """Compare the runs of a study in `runs_dir` with those of the table `recorded`. No run is executed.

    Raises StudyError if there is no such table, if none of its runs was done here, or for a study of latency, whose
    times are those of one machine.
    """
    name = study.protocol.name
    if study.protocol.latency:
        raise StudyError(f"study {name} measures times, which differ between machines; choose another study")
    if not recorded.exists():
        raise StudyError(f"{recorded} not found: there is nothing to compare with; run `stilts study {name} --keep`")
    reproduction = compare_tables(gather(study, runs_dir), read_table(recorded))
    if reproduction is None:
        raise StudyError(f"no run in {runs_dir} is recorded in {recorded}; do one with the protocol's sizes")
    return reproduction


def compare_tables(here: StudyTable, recorded: StudyTable) -> Reproduction | None:
    """Compare the runs that two tables share; None if they share none."""
    ours, theirs = (
        table.frame.loc[table.frame["metric"] == "score", [*_KEY, "score", "low", "high"]].drop_duplicates(_KEY)
        for table in (here, recorded)
    )
    both = theirs.merge(ours[[*_KEY, "score"]], on=_KEY, suffixes=("", "_here"))
    if both.empty:
        return None
    outside = []
    for run, rows in both.groupby("run", sort=True):
        others = rows[rows["language"] != ENGLISH] if (rows["language"] != ENGLISH).any() else rows
        half = (((others["high"] - others["low"]) / 2) ** 2).sum() ** 0.5 / len(others)
        before, now = others["score"].mean(), others["score_here"].mean()
        if abs(now - before) > half + _ROUNDING:
            outside.append(f"{run}: {now:.2f} here, {before:.2f} ± {half:.2f} recorded")
    inside = both["score_here"].between(both["low"] - _ROUNDING, both["high"] + _ROUNDING)
    largest = (both["score_here"] - both["score"]).abs().max()
    return Reproduction(both["run"].nunique(), tuple(outside), len(both), int(inside.sum()), float(largest))
