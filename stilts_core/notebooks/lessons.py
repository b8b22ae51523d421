"""The notebooks that the book shows executed: the lessons, and the reruns of its questions.

Each is executed once for the same notebook, code, encoder and parameters.
"""

import hashlib
import json
import multiprocessing
import resource
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.errors import RunError
from stilts_core.notebooks.paths import notebook_path
from stilts_core.notebooks.reader import READER_SIZES
from stilts_core.pretraining.recipe import lab_identity
from stilts_core.storage.atomic import write_whole
from stilts_core.storage.environment import available_cores, environment, limit_threads
from stilts_core.storage.locks import lock_on

if TYPE_CHECKING:
    from stilts_core.notebooks.execution import Parameter

PACKAGE = Path(__file__).resolve().parents[1]
PROTOCOLS = (PACKAGE.parent / "protocols", PACKAGE / "studies" / "files")  # in a checkout, and in a wheel
TABLES = (PACKAGE.parent / "book" / "results" / "studies", PACKAGE / "studies" / "tables", Path("book/results/studies"))
CODE = {".py", ".csv", ".c", ".h"}  # suffixes of the files of the package that decide outputs
READ_EFFECT, OWN_QUESTION = "read_effect", "own_question"
LESSONS = ("three_phases", "new_language", READ_EFFECT, OWN_QUESTION)
RERUN = "question"  # the notebook that reruns a study
RERUNS = {f"{RERUN}-{study}": study for study in READER_SIZES}  # the study of each of its pages
ALONE = "question-latency"  # measures time, so nothing else runs beside it
IDENTITY = "stilts"  # the metadata entry of an executed lesson that holds the hash of all that decides its outputs
COST = "stilts_processor_seconds"  # the metadata entry with the processor time of its execution


def executed_lesson(name: str, runs_dir: Path) -> Path:
    """Return the path of an executed notebook, of a lesson or of a rerun, whether or not it exists."""
    return runs_dir / "lab" / "lessons" / f"{name}.ipynb"


def execute_all(runs_dir: Path) -> Iterator[tuple[str, bool]]:
    """Execute the lessons and the reruns, as many at once as there are cores; yield each name, and whether it was due.

    Every notebook has one thread. Raises RunError for the first in which a cell fails: those already begun are
    finished, and the others are not begun.
    """
    spawn = multiprocessing.get_context("spawn")
    with environment(limit_threads(1)), ProcessPoolExecutor(available_cores(), mp_context=spawn) as pool:
        for names in ([name for name in (*LESSONS, *RERUNS) if name != ALONE], [ALONE]):
            done = [pool.submit(execute_rerun if name in RERUNS else execute_lesson, name, runs_dir) for name in names]
            try:
                for name, due in zip(names, done, strict=True):
                    yield name, due.result()
            except RunError:
                pool.shutdown(cancel_futures=True)
                raise


def execute_rerun(name: str, runs_dir: Path, **parameters: "Parameter") -> bool:
    """Execute the rerun of a study, one of RERUNS, as `execute_lesson` does."""
    own: dict[str, Parameter] = {"study": RERUNS[name]}
    return execute_lesson(name, runs_dir, **own | parameters)


def execute_lesson(name: str, runs_dir: Path, **parameters: "Parameter") -> bool:
    """Execute a lesson, unless its executed notebook is up to date; True if the lesson was executed.

    The runs of a study are in RUNS_DIR/questions. Of several processes one executes the lesson, and the others wait.
    Raises RunError where a cell fails; NAME.unfinished.ipynb then shows where.
    """
    if (name in RERUNS or name == OWN_QUESTION) and (folder := str(runs_dir / "questions")) != "runs/questions":
        parameters.setdefault("folder", folder)  # unless it is the notebook's own default
    output, identity = executed_lesson(name, runs_dir), identify_notebook(name, parameters)
    if _recorded_identity(output) == identity:
        return False
    from stilts_core.notebooks.execution import execute_notebook  # imports papermill: 0.5 s

    unfinished = output.with_suffix(f".unfinished{output.suffix}")
    with lock_on(output):
        if _recorded_identity(output) == identity:
            return False
        before = _processor_seconds()
        execute_notebook(committed_notebook(name), unfinished, parameters)
        content = _read(unfinished)
        content["metadata"] |= {IDENTITY: identity, COST: round(_processor_seconds() - before, 1)}
        write_whole(output, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
        unfinished.unlink()
    return True


def committed_notebook(name: str) -> Path:
    """Return the path of the notebook of a lesson or of a rerun; all reruns share one."""
    return notebook_path(RERUN if name in RERUNS else name)


def _processor_seconds() -> float:
    """The processor time of this process and of its finished children, such as kernels."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _recorded_identity(notebook: Path) -> str | None:
    """The identity in an executed lesson; None if it is missing or damaged, so that it is executed again."""
    try:
        return _read(notebook)["metadata"].get(IDENTITY)
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _read(notebook: Path) -> dict:
    return json.loads(notebook.read_text(encoding="utf-8"))


def identify_notebook(name: str, parameters: Mapping[str, "Parameter"]) -> str:
    """Return the SHA-256 of all that decides an executed notebook: its source, parameters, the encoder and all code.

    The package's tables and its C sources count as code. The outputs of a rerun depend on the protocols, too, and those
    of a lesson on recorded results also on these.
    """
    digest = hashlib.sha256(json.dumps([parameters, lab_identity(0)], sort_keys=True, allow_nan=False).encode())
    others: list[Path] = []
    if name in RERUNS or name == READ_EFFECT:
        others += [path for folder in PROTOCOLS for path in sorted(folder.glob("*.toml"))]
    if name == READ_EFFECT:
        others += [path for folder in TABLES for path in sorted(folder.glob("*.parquet"))]
    code = sorted(path for path in PACKAGE.rglob("*") if path.suffix in CODE)
    for path in (committed_notebook(name), *code, *others):
        digest.update(path.read_bytes())
    return digest.hexdigest()
