"""Scoring a submission folder against a folder of gold labels, as XTREME's evaluate.py does."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from stilts_core.catalogue import TARGET_TASKS, Task, task
from stilts_core.families import retrieval, span, tagging
from stilts_core.intervals import RESAMPLES, Estimate, Score, accuracy, average, estimates
from stilts_core.sources.reading import DataError
from stilts_core.submission_files import (
    read_gold,
    read_predictions,
    suffixes,
    write_gold,  # noqa: F401  (part of this module to its readers)
    write_predictions,  # noqa: F401
)

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


def score_folders(
    predictions: Path,
    gold: Path,
    *,
    tasks: Sequence[str] | None = None,
    pos_metric: str = "xtreme",
    partial: bool = False,
    benchmark: str = "xtreme",
) -> dict:
    """Every metric of every task and language, and their means, as XTREME's evaluate.py defines them; all on 0-100.

    `tasks` are the tasks to score, else all that have a folder on either side. `pos_metric` is what enters the means
    for part-of-speech tagging: chunk F1, as XTREME publishes it, or token accuracy. `benchmark` ('xtreme' or
    'xtreme-r') decides on the languages, the groups and the overall score; tasks that it does not have are scored in
    the other's languages and enter neither. A group, or the overall score, is given where all its tasks are there in
    all languages. Beside them stand means without English, n (items that the bootstrap draws) and 95 % intervals.

    Raises DataError that lists every missing file; with `partial` what is there is scored, and the result lists them.
    """
    rows = [task(name) for name in tasks or TARGET_TASKS]
    if not tasks:
        rows = [row for row in rows if any((root / row.name).is_dir() for root in (predictions, gold))]
    wanted = {row.name: row.languages.get(benchmark) or next(iter(row.languages.values())) for row in rows}
    pairs = {
        (row, language): tuple(_file(root, row, language) for root in (predictions, gold))
        for row in rows
        for language in wanted[row.name]
    }
    missing = [str(path) for pair in pairs.values() for path in pair if not path.is_file()]
    present = {key: pair for key, pair in pairs.items() if all(path.is_file() for path in pair)}
    if not present or (missing and not partial):
        raise DataError(_what_is_missing(predictions, gold, missing))
    scores: dict[str, dict[str, Score]] = {}
    for (row, language), (answers, labels) in present.items():
        scores.setdefault(row.name, {})[language], lacking = score_file(row, language, answers, labels, partial=partial)
        missing += [f"{answers}: {lacking} ids without a prediction, scored 0"] * bool(lacking)
    metrics = {row.name: "f1" if row.name == "udpos" and pos_metric == "xtreme" else row.metric for row in rows}
    reports, means = {}, {}
    for name, languages in scores.items():
        reports[name], means[name] = _task_report(languages, metrics[name])
    whole = {name: means[name] for name, languages in scores.items() if len(languages) == len(wanted[name])}
    groups = GROUPS[benchmark]
    return {
        "benchmark": benchmark,
        "pos_metric": pos_metric,
        "intervals": INTERVALS,
        "partial": partial,
        "missing": missing,
        "not_scored": _left_over(predictions, scores, present),
        "overall": _mean_of_tasks(whole, {name for names in groups.values() for name in names}),
        "groups": {group: mean for group, names in groups.items() if (mean := _mean_of_tasks(whole, names))},
        "tasks": reports,
    }


def _file(root: Path, row: Task, language: str) -> Path:
    """The file of a language with whichever ending it has; the usual one where there is none."""
    paths = [root / row.name / f"test-{language}{suffix}" for suffix in suffixes(row)]
    return next((path for path in paths if path.is_file()), paths[0])


def _what_is_missing(predictions: Path, gold: Path, missing: list[str]) -> str:
    if not missing:
        return f"neither {predictions} nor {gold} has a folder of a task; expected such as {predictions / 'xnli'}"
    return "\n".join(
        [
            f"{len(missing)} files are missing; add them, name one task (--task), or score what is there (--partial):",
            *missing,
        ]
    )


def _left_over(predictions: Path, scores: dict, present: dict) -> list[str]:
    """Prediction files of the scored tasks that the benchmark has no use for, such as those of further languages."""
    used = {answers for answers, _ in present.values()}
    return [str(path) for name in scores for path in sorted((predictions / name).iterdir()) if path not in used]


def _task_report(scores: dict[str, Score], metric: str) -> tuple[dict, dict[str, Estimate]]:
    """What is reported of a task, and the means of its metric over all languages and over those without English."""
    found = {code: estimates(score) for code, score in scores.items()}
    averages = {name: average([part[name] for part in found.values()]) for name in next(iter(found.values()))}
    means = {"all": averages[metric]}
    if foreign := [part[metric] for code, part in found.items() if code != "en"]:
        means["non_english"] = average(foreign)
    report = {
        "metric": metric,
        **_two_means(means),
        "averages": {name: mean.to_dict() for name, mean in averages.items()},
        "languages": {
            code: {
                "n": scores[code].n,
                **part[metric].to_dict(),
                "metrics": scores[code].metrics,
                "bounds": {name: estimate.bounds for name, estimate in part.items()},
            }
            for code, part in found.items()
        },
    }
    return report, means


def _mean_of_tasks(means: dict[str, dict[str, Estimate]], names: Iterable[str]) -> dict | None:
    """The mean of tasks' means, None where a task is not there."""
    if not means.keys() >= set(names):
        return None
    return _two_means({side: average([means[name][side] for name in sorted(names)]) for side in ("all", "non_english")})


def _two_means(means: dict[str, Estimate]) -> dict:
    foreign = means.get("non_english")
    return {**means["all"].to_dict(), "non_english": foreign and foreign.to_dict()}


def score_file(row: Task, language: str, predictions: Path, gold: Path, *, partial: bool = False) -> tuple[Score, int]:
    """The score of one language, and how many ids have no prediction: an error, or with `partial` scored 0.

    Raises DataError where the two files do not belong together, with both lengths.
    """
    right, given = read_gold(gold, row), read_predictions(predictions, row)
    if not right:
        raise DataError(f"{gold}: empty; put the gold labels there")
    if isinstance(right, list):
        _equal_lengths("sentences" if row.family == "tagging" else "lines", predictions, given, gold, right)
        if row.family != "tagging":
            return accuracy(right, given), 0
        for number, (tags, answer) in enumerate(zip(right, given, strict=True), start=1):
            _equal_lengths(f"tags in sentence {number}", predictions, answer, gold, tags)
        return tagging.score(right, given), 0
    if row.metric == "f1":
        return retrieval.pair_f1({query: set(found) for query, found in right.items()}, given), 0
    lacking = [key for key in right if key not in given]
    if lacking and not partial:
        raise DataError(
            f"{predictions}: no prediction for {len(lacking)} of the {len(right)} ids of {gold}, such as {lacking[0]}; "
            "add them, or score them 0 with --partial"
        )
    if row.family == "span":
        return span.score(list(right.values()), [given.get(key) for key in right], row.name, language), len(lacking)
    return retrieval.mean_average_precision({key: set(ids) for key, ids in right.items()}, given), len(lacking)


def _equal_lengths(unit: str, predictions: Path, given: Sequence, gold: Path, right: Sequence) -> None:
    if len(given) != len(right):
        raise DataError(
            f"{predictions}: {len(given)} {unit}, but {len(right)} in {gold}; predict every item, in its order"
        )
