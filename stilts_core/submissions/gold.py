"""Scoring a submission folder against the gold labels of the publishers' own files."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stilts_core.errors import DataError
from stilts_core.sources.publishers import available_languages, load
from stilts_core.submissions.files import suffixes, write_gold
from stilts_core.submissions.score import list_languages, list_tasks, score_folders

GOLD = "gold"  # what messages call the folder of the labels


def score_against_source(
    predictions: Path,
    *,
    tasks: Sequence[str] | None = None,
    partial: bool = False,
    benchmark: str = "xtreme",
    **more: Any,
) -> dict[str, Any]:
    """What `score_folders` returns, with the test parts under `STILTS_DATA`, or on the hub, as gold labels.

    Raises DataError also where a test part is not there, or has no labels.
    """
    with TemporaryDirectory(prefix="stilts-gold-") as folder:
        try:
            for task in list_tasks(predictions, None, tasks):
                available = available_languages(task.name)
                for language in list_languages(task, benchmark):
                    paths = [predictions / task.name / f"test-{language}{suffix}" for suffix in suffixes(task)]
                    if language in available and any(path.exists() for path in paths):
                        write_gold(Path(folder), task.name, language, load(task.name, "test", language).items)
            result = score_folders(predictions, Path(folder), tasks=tasks, partial=partial, benchmark=benchmark, **more)
        except DataError as error:
            raise type(error)(str(error).replace(folder, GOLD)) from None
    return result | {"missing": [path.replace(folder, GOLD) for path in result["missing"]]}
