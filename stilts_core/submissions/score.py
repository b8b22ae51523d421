"""Scoring a submission folder against a folder of gold labels, as XTREME's evaluate.py does."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stilts_core.errors import DataError
from stilts_core.scoring.bootstrap import RESAMPLES, Estimate, Score, average, bootstrap_metrics
from stilts_core.submissions.files import suffixes
from stilts_core.submissions.score_file import score_file
from stilts_core.tasks.catalogue import TARGET_TASKS, Task, get_task

# XTREME's groups (Hu et al. 2020), and XTREME-R's (Ruder et al. 2021), whose overall score has ten tasks.
GROUPS = {
    "xtreme": {
        "classification": ("pawsx", "xnli"),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("bucc2018", "tatoeba"),
    },
    "xtreme-r": {
        "classification": ("xnli", "xcopa"),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("mewslix", "lareqa", "tatoeba"),
    },
}

INTERVALS = (
    f"95 % percentile bootstrap over items, {RESAMPLES} resamples, seed 0; means resample the items within each "
    "language, at the same positions in languages that have equally many"
)

Means = dict[str, Estimate]  # of one task or of several: "all" languages, and the "non_english" ones if there are any


def score_folders(
    predictions: Path,
    gold: Path,
    *,
    tasks: Sequence[str] | None = None,
    pos_metric: str = "xtreme",
    partial: bool = False,
    benchmark: str = "xtreme",
) -> dict[str, Any]:
    """Every metric of every task and language, and their means, as XTREME's evaluate.py defines them; all on 0-100.

    Without `tasks`, every task with a folder on either side is scored. `pos_metric` is the metric that enters the means
    for part-of-speech tagging: 'xtreme' (chunk F1, as XTREME published it) or 'accuracy'. `benchmark` ('xtreme' or
    'xtreme-r') decides the languages, the groups and the overall score. A task of the other benchmark only is scored in
    that one's languages and enters no group. A group has a mean, and so has the overall score, only if all its tasks
    are scored in all languages. Every score has a 95 % interval, and every language n, the number of resampled items.

    Raises DataError that lists every missing file. With `partial`, the remaining files are scored, and the result lists
    the missing ones.
    """
    chosen = list_tasks(predictions, gold, tasks)
    languages = {task.name: list_languages(task, benchmark) for task in chosen}
    with _file_errors():
        pairs = [_find_files(task, code, predictions, gold) for task in chosen for code in languages[task.name]]
        missing = [str(path) for pair in pairs for path in pair.missing]
    complete = [pair for pair in pairs if not pair.missing]
    if not complete or (missing and not partial):
        raise DataError(_describe_missing(predictions, gold, missing, partial))
    scores, notes = _score_languages(complete, partial)
    reports, means = {}, {}
    for name, by_language in scores.items():
        reports[name], means[name] = _report_task(by_language, get_task(name).metric_for(pos_metric))
    means = {name: task_means for name, task_means in means.items() if len(scores[name]) == len(languages[name])}
    groups = GROUPS[benchmark]
    return {
        "benchmark": benchmark,
        "pos_metric": pos_metric,
        "intervals": INTERVALS,
        "partial": partial,
        "missing": missing + notes,
        "not_scored": _find_unscored(predictions, complete) + ([] if tasks else _find_unknown_folders(predictions)),
        "overall": _report_mean_of_tasks(means, [name for names in groups.values() for name in names]),
        "groups": {group: mean for group, names in groups.items() if (mean := _report_mean_of_tasks(means, names))},
        "tasks": reports,
    }


@dataclass(frozen=True)
class FilePair:
    """The prediction file and the gold file of one task and language; either may be missing."""

    task: Task
    language: str
    predictions: Path
    gold: Path

    @property
    def missing(self) -> list[Path]:
        """Which of the two files do not exist. Raises DataError for a folder in the place of a file."""
        for path in (self.predictions, self.gold):
            if path.is_dir():
                raise DataError(f"{path}: a folder; expected a file")
        return [path for path in (self.predictions, self.gold) if not path.is_file()]


@contextmanager
def _file_errors() -> Iterator[None]:
    """Turn the errors of the operating system (a folder, no permission, a broken disk) into DataErrors."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}; expected a file that can be read") from None


def list_tasks(predictions: Path, gold: Path | None, tasks: Sequence[str] | None) -> list[Task]:
    """The named tasks, else every task with a folder on either side. Raises DataError where a side is no folder."""
    with _file_errors():
        for folder, content in ((predictions, "predictions"), (gold, "gold labels")):
            if folder and not folder.is_dir():
                example = folder / "xnli" / "test-de.tsv"
                raise DataError(f"{folder} is not a folder; expected one of {content}, with files such as {example}")
        if tasks:
            return [get_task(name) for name in dict.fromkeys(tasks)]
        sides = [folder for folder in (predictions, gold) if folder]
        return [get_task(name) for name in TARGET_TASKS if any((folder / name).is_dir() for folder in sides)]


def list_languages(task: Task, benchmark: str) -> tuple[str, ...]:
    """The task's languages in the benchmark, or in the other one if the benchmark does not have the task."""
    return task.languages.get(benchmark) or next(iter(task.languages.values()))


def _find_files(task: Task, language: str, predictions: Path, gold: Path) -> FilePair:
    """The two files of a language with any suffix that the task allows; a missing file has the usual suffix."""

    def find(root: Path) -> Path:
        paths = [root / task.name / f"test-{language}{suffix}" for suffix in suffixes(task)]
        return next((path for path in paths if path.exists()), paths[0])

    return FilePair(task, language, find(predictions), find(gold))


def _describe_missing(predictions: Path, gold: Path, missing: list[str], partial: bool) -> str:
    if not missing:
        return f"neither {predictions} nor {gold} has a folder of a task; expected such as {predictions / 'xnli'}"
    advice = "add them, name one task (--task), or score the files that exist (--partial):"
    if partial:
        advice = "no language has both predictions and gold labels; add the files of one:"
    return "\n".join([f"{len(missing)} files are missing; {advice}", *missing])


def _score_languages(pairs: Sequence[FilePair], partial: bool) -> tuple[dict[str, dict[str, Score]], list[str]]:
    """The scores by task and language, and a note on each file that lacks predictions."""
    scores: dict[str, dict[str, Score]] = {}
    notes = []
    for pair in pairs:
        score, lacking = score_file(pair.task, pair.language, pair.predictions, pair.gold, partial=partial)
        scores.setdefault(pair.task.name, {})[pair.language] = score
        if lacking:
            notes.append(f"{pair.predictions}: {lacking} ids without a prediction, scored 0")
    return scores, notes


def _find_unscored(predictions: Path, scored: Sequence[FilePair]) -> list[str]:
    """Prediction files of the scored tasks that were not scored, such as files of another benchmark's languages."""
    used = {pair.predictions for pair in scored}
    names = dict.fromkeys(pair.task.name for pair in scored)
    with _file_errors():
        return [str(path) for name in names for path in sorted((predictions / name).iterdir()) if path not in used]


def _find_unknown_folders(predictions: Path) -> list[str]:
    """Folders beside those of the tasks, such as one whose name is misspelt."""
    with _file_errors():
        return [str(path) for path in sorted(predictions.iterdir()) if path.is_dir() and path.name not in TARGET_TASKS]


def _report_task(scores: dict[str, Score], metric: str) -> tuple[dict[str, Any], Means]:
    """The report of one task, and the means of `metric` over all languages and over the languages but English."""
    estimates = {code: bootstrap_metrics(score) for code, score in scores.items()}
    names = list(next(iter(estimates.values())))
    averages = {name: average([by_name[name] for by_name in estimates.values()]) for name in names}
    means = {"all": averages[metric]}
    if foreign := [by_name[metric] for code, by_name in estimates.items() if code != "en"]:
        means["non_english"] = average(foreign)
    report = {
        "metric": metric,
        **_report_means(means),
        "averages": {name: mean.to_dict() for name, mean in averages.items()},
        "languages": {code: _report_language(scores[code], estimates[code], metric) for code in scores},
    }
    return report, means


def _report_language(score: Score, estimates: dict[str, Estimate], metric: str) -> dict[str, Any]:
    return {
        "n": score.n,
        **estimates[metric].to_dict(),
        "metrics": score.metrics,
        "bounds": {name: estimate.bounds for name, estimate in estimates.items()},
    }


def _report_mean_of_tasks(means: dict[str, Means], names: Iterable[str]) -> dict[str, Any] | None:
    """The mean over tasks of their means; None if a task has no mean."""
    chosen = sorted(set(names))
    if not means.keys() >= set(chosen):
        return None
    return _report_means({side: average([means[name][side] for name in chosen]) for side in ("all", "non_english")})


def _report_means(means: Means) -> dict[str, Any]:
    foreign = means.get("non_english")
    return {**means["all"].to_dict(), "non_english": foreign and foreign.to_dict()}
