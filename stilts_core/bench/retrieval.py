"""The retrieval workloads: nearest neighbours beside FAISS, and Tatoeba's score beside mteb, on the same embeddings."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from stilts_core.bench.figures import MeasuredFigures, compare_figures
from stilts_core.bench.measurement import (
    Options,
    measure_alternately,
    measure_peak_memory,
    measure_seconds,
    report_progress,
)
from stilts_core.bench.workloads import FAISS, MTEB, Workload
from stilts_core.errors import BenchError
from stilts_core.families.features import build_features
from stilts_core.families.neighbours import NEIGHBOURHOOD, Neighbours, find_mutual_neighbours
from stilts_core.families.retrieval import RetrievalHead
from stilts_core.families.table import get_family
from stilts_core.runs.data import read_target
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import task_setting
from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.examples import RetrievalSet
from stilts_core.tasks.retrieval_sets import smaller_set

DIMENSIONS = 384  # of random vectors, as multilingual-e5-small has
ROUNDING = 1e-5  # inner products of unit vectors that differ by less than this are ties
PEER_PYTHON = "STILTS_BENCH_PYTHON"
NO_FEATURES = build_features([])  # retrieval decodes embeddings alone

Embeddings = tuple[np.ndarray, np.ndarray]  # of queries and of candidates, (texts, dimensions)


def measure_mining(workload: Workload, options: Options) -> MeasuredFigures:
    """Seconds and memory of the search for nearest neighbours in both directions, as BUCC's margins need them.

    Margins and the choice of pairs come after the search, are the same for both sides, and are not measured.
    """
    if workload.target:
        queries, candidates = _embed_bucc(workload, options)
    else:
        queries, candidates = draw_random_vectors(workload.examples, 0), draw_random_vectors(workload.examples, 1)
    neighbours: dict[str, tuple[Neighbours, Neighbours]] = {}
    searches = {"ours": find_mutual_neighbours, FAISS: search_faiss_both_ways}

    def measure_search(name: str, _: int) -> float:
        def work() -> None:
            neighbours[name] = searches[name](queries, candidates, NEIGHBOURHOOD)

        return measure_seconds(work)

    calls = {name: partial(measure_search, name) for name in searches}
    seconds = measure_alternately(workload.name, calls, options.repetitions)
    directions = zip(neighbours["ours"], neighbours[FAISS], strict=True)
    identical = float(np.mean([_share_of_identical(ours, theirs) for ours, theirs in directions]))
    memory = {
        name: measure_peak_memory(search, queries, candidates, NEIGHBOURHOOD) for name, search in searches.items()
    }
    return {
        "seconds": {FAISS: compare_figures("seconds", seconds["ours"], seconds[FAISS])},
        "identical_neighbours": {FAISS: compare_figures("identical_neighbours", [identical])},
        "peak_memory_bytes": {FAISS: compare_figures("peak_memory_bytes", [memory["ours"]], [memory[FAISS]])},
    }


def search_faiss_both_ways(x: np.ndarray, y: np.ndarray, k: int) -> tuple[Neighbours, Neighbours]:
    """The result of `find_mutual_neighbours`, from one FAISS search in each direction."""
    return search_faiss(x, y, k), search_faiss(y, x, k)


def search_faiss(queries: np.ndarray, candidates: np.ndarray, k: int) -> Neighbours:
    """The `k` largest inner products of each query and their indices, from FAISS's exact index."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(candidates.shape[1])
    index.add(candidates)
    return index.search(queries, k)


def _share_of_identical(ours: Neighbours, theirs: Neighbours) -> float:
    """The share of neighbours that are the same or tie: the order of a summation decides between ties."""
    return float(((ours[1] == theirs[1]) | (np.abs(ours[0] - theirs[0]) < ROUNDING)).mean())


def draw_random_vectors(rows: int, seed: int) -> np.ndarray:
    """Random unit vectors, (rows, DIMENSIONS) in fp32."""
    vectors = np.random.default_rng(seed).standard_normal((rows, DIMENSIONS), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _embed_bucc(workload: Workload, options: Options) -> Embeddings:
    """The embeddings of all sentences of BUCC's dev and test part in its first available language."""
    language = available_languages(workload.target)[0]
    parts = [load(workload.target, split, language).items[0] for split in ("dev", "test")]
    whole = RetrievalSet(
        language,
        tuple(chain(*(part.queries for part in parts))),
        tuple(dict.fromkeys(chain(*(part.candidates for part in parts)))),
        {},
    )
    (embeddings,) = embed(workload, options, [smaller_set(whole, workload.examples)])
    return embeddings


def embed(workload: Workload, options: Options, tests: Sequence[RetrievalSet]) -> list[Embeddings]:
    """The embeddings of every set."""
    config = workload.make_config(options.encoder)
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    setting = task_setting(workload.target, config, encoder)
    head, embeddings = RetrievalHead(setting.layer), []
    for test in tests:
        features = get_family(setting.task).make_features([test], encoder.tokenizer, setting)
        outputs = predict(encoder, head, features, options.compute)
        queries, candidates = np.split(outputs, [len(test.queries)])
        embeddings.append((np.ascontiguousarray(queries), np.ascontiguousarray(candidates)))
        report_progress(f"{workload.name}: embedded {test.language}, {len(outputs):,} sentences")
    return embeddings


def measure_tatoeba(workload: Workload, options: Options) -> MeasuredFigures:
    """Seconds from embeddings to the accuracies of all languages: ours, FAISS's search alone, and mteb's evaluator."""
    config = workload.make_config(options.encoder)
    tests: list[RetrievalSet] = [items[0] for items in read_target(config).tests.values()]
    embeddings = embed(workload, options, tests)
    setting = task_setting(workload.target, config, load_encoder(config.encoder))
    family, joined = get_family(setting.task), [np.concatenate(pair) for pair in embeddings]
    scores: dict[str, list[float]] = {}

    def score() -> None:
        scores["ours"] = []
        for test, outputs in zip(tests, joined, strict=True):
            predictions = family.decode(outputs, NO_FEATURES, [test], setting)
            graded = family.score_predictions([test], predictions, setting, test.language)
            scores["ours"].append(graded.metrics["accuracy"])

    def search() -> None:
        for queries, candidates in embeddings:
            search_faiss(queries, candidates, 1)

    calls: dict[str, Callable[[int], float]] = {
        "ours": lambda _: measure_seconds(score),
        FAISS: lambda _: measure_seconds(search),
    }
    with tempfile.TemporaryDirectory() as folder:
        peer = MtebPeer.start(Path(folder), tests, embeddings)
        if peer:

            def measure_mteb(_: int) -> float:
                seconds, scores[MTEB] = peer.score_all()
                return seconds

            calls[MTEB] = measure_mteb
        for warm_up in calls.values():
            warm_up(0)
        seconds = measure_alternately(workload.name, calls, options.repetitions)
        if peer:
            peer.stop()
    ours = seconds.pop("ours")
    result = {"seconds": {name: compare_figures("seconds", ours, theirs) for name, theirs in seconds.items()}}
    if peer:
        means = ([float(np.mean(scores[side]))] for side in ("ours", MTEB))
        result["score"] = {MTEB: compare_figures("score", *means)}
    return result


class MtebPeer:
    """mteb's evaluator in a process of another Python environment, which waits for requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @classmethod
    def start(cls, folder: Path, tests: Sequence[RetrievalSet], embeddings: Sequence[Embeddings]) -> "MtebPeer | None":
        """Start mteb on the embeddings, which are written to `folder`; None without an environment that has mteb."""
        python = os.environ.get(PEER_PYTHON)
        if not python:
            report_progress(
                f"mteb is left out because {PEER_PYTHON} is not set. To include it, create an environment "
                f"(python -m venv, pip install mteb) and set {PEER_PYTHON} to its Python."
            )
            return None
        for number, (test, (queries, candidates)) in enumerate(zip(tests, embeddings, strict=True)):
            row_of = {candidate.id: row for row, candidate in enumerate(test.candidates)}
            gold = np.array([row_of[min(test.gold[query.id])] for query in test.queries])
            for name, array in (("queries", queries), ("candidates", candidates), ("gold", gold)):
                np.save(folder / f"{number}-{name}.npy", array)
        script = Path(__file__).with_name("mteb_peer.py")
        command = [python, "-W", "ignore", str(script), str(folder), str(torch.get_num_threads())]
        environment = os.environ | {"TQDM_DISABLE": "1"}
        return cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment))

    def score_all(self) -> tuple[float, list[float]]:
        """The seconds of one repetition, and the accuracy of every language. Raises BenchError if mteb has ended."""
        assert self.process.stdin and self.process.stdout  # both are pipes
        with suppress(BrokenPipeError):  # the process has ended, and its answer is empty
            print(file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            code = self.process.wait()
            raise BenchError(f"mteb ended with code {code}; see its error above, or unset {PEER_PYTHON}")
        result = json.loads(answer)
        return result["seconds"], result["scores"]

    def stop(self) -> None:
        """End the process."""
        self.process.communicate()  # closes its standard input, which ends it
