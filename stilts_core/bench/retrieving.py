"""Searching and scoring sentences: our exact search, FAISS and mteb in turns, on the same embeddings."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from stilts_core.bench.measuring import BenchError, Options, compared, in_turns, peak_memory, say, timed
from stilts_core.bench.workloads import FAISS, MTEB, Workload
from stilts_core.encoder import load_encoder
from stilts_core.evaluation import predict
from stilts_core.families.mining import NEIGHBOURHOOD, Neighbours, mutual_neighbours
from stilts_core.families.retrieval import RetrievalHead, RetrievalSet
from stilts_core.gathering import gather, smaller_set
from stilts_core.pipeline import task_data
from stilts_core.sources.load import available_languages, load

DIMENSIONS = 384  # of random vectors: those of multilingual-e5-small
ROUNDING = 1e-5  # inner products of unit vectors that differ by less than this are ties
PEER_PYTHON = "STILTS_BENCH_PYTHON"


def measure_mining(workload: Workload, options: Options) -> dict:
    """Seconds and memory of the nearest neighbours in both directions, as BUCC's margins need them.

    What follows, the margins and the choice of pairs, is the same for both and not timed.
    """
    if workload.target:
        queries, candidates = _bucc_embeddings(workload, options)
    else:
        queries, candidates = random_vectors(workload.examples, 0), random_vectors(workload.examples, 1)
    found = {}

    def turn(name: str, search: Callable) -> Callable[[int], float]:
        def work():
            found[name] = search(queries, candidates, NEIGHBOURHOOD)

        return lambda _: timed(work)

    turns = {"ours": turn("ours", mutual_neighbours), FAISS: turn(FAISS, faiss_mutual_neighbours)}
    seconds = in_turns(workload.name, turns, options.repetitions)
    equal = np.mean([_equal(mine, other) for mine, other in zip(found["ours"], found[FAISS], strict=True)])
    arguments = queries, candidates, NEIGHBOURHOOD
    memory = [peak_memory(search, *arguments) for search in (mutual_neighbours, faiss_mutual_neighbours)]
    return {
        "seconds": {FAISS: compared("seconds", seconds["ours"], seconds[FAISS])},
        "identical_neighbours": {FAISS: compared("identical_neighbours", [float(equal)])},
        "peak_memory_bytes": {FAISS: compared("peak_memory_bytes", memory[:1], memory[1:])},
    }


def faiss_mutual_neighbours(x: np.ndarray, y: np.ndarray, k: int) -> tuple[Neighbours, Neighbours]:
    """What `mutual_neighbours` finds, by one search in each direction."""
    return faiss_neighbours(x, y, k), faiss_neighbours(y, x, k)


def faiss_neighbours(queries: np.ndarray, candidates: np.ndarray, k: int) -> Neighbours:
    """The `k` largest inner products and their places, by FAISS's exact index."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(candidates.shape[1])
    index.add(candidates)
    return index.search(queries, k)


def _equal(ours: Neighbours, theirs: Neighbours) -> float:
    """The share of neighbours that are the same, or equally near: the order of a sum decides between those."""
    return float(((ours[1] == theirs[1]) | (np.abs(ours[0] - theirs[0]) < ROUNDING)).mean())


def random_vectors(rows: int, seed: int) -> np.ndarray:
    """Random unit vectors, (rows, DIMENSIONS) in fp32."""
    vectors = np.random.default_rng(seed).standard_normal((rows, DIMENSIONS), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _bucc_embeddings(workload: Workload, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """All sentences of BUCC in the first language at hand, of its dev part and its test part, embedded."""
    language = available_languages(workload.target)[0]
    parts = [load(workload.target, split, language).items[0] for split in ("dev", "test")]
    whole = RetrievalSet(
        language,
        tuple(chain(*(part.queries for part in parts))),
        tuple(dict.fromkeys(chain(*(part.candidates for part in parts)))),
        {},
    )
    (embedded,) = embed(workload, options, [smaller_set(whole, workload.examples)])
    return embedded


def embed(workload: Workload, options: Options, tests: list[RetrievalSet]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The embeddings of the queries and of the candidates of each set."""
    config = workload.config(options.encoder)
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    setting = task_data(workload.target, ([], []), config, encoder).setting
    head, embedded = RetrievalHead(setting.layer), []
    for test in tests:
        outputs = predict(encoder, head, setting.family.features([test], encoder.tokens, setting), options.compute)
        embedded.append(tuple(np.ascontiguousarray(part) for part in np.split(outputs, [len(test.queries)])))
        say(f"{workload.name}: embedded {test.language}, {len(outputs):,} sentences")
    return embedded


def measure_tatoeba(workload: Workload, options: Options) -> dict:
    """Seconds from embeddings to the accuracy of all languages: ours, FAISS's search alone, and mteb's evaluator."""
    config = workload.config(options.encoder)
    tests = [items[0] for items in gather(config).tests.values()]
    embedded = embed(workload, options, tests)
    setting = task_data(workload.target, ([], []), config, load_encoder(config.encoder)).setting
    family, joined = setting.family, [np.concatenate(pair) for pair in embedded]
    scores: dict[str, list[float]] = {}

    def score():
        scores["ours"] = []
        for test, outputs in zip(tests, joined, strict=True):
            found = family.decode(outputs, None, [test], setting)
            scores["ours"].append(family.grade([test], found, setting, test.language).metrics["accuracy"])

    def search():
        for queries, candidates in embedded:
            faiss_neighbours(queries, candidates, 1)

    turns = {"ours": lambda _: timed(score), FAISS: lambda _: timed(search)}
    with tempfile.TemporaryDirectory() as folder:
        peer = _mteb(Path(folder), tests, embedded)
        if peer:
            turns[MTEB] = lambda _: _ask(peer, scores)
        for warm_up in turns.values():
            warm_up(0)
        seconds = in_turns(workload.name, turns, options.repetitions)
        if peer:
            peer.stdin.close()
            peer.wait()
    ours = seconds.pop("ours")
    result = {"seconds": {name: compared("seconds", ours, theirs) for name, theirs in seconds.items()}}
    if peer:
        result["score"] = {MTEB: compared("score", *([float(np.mean(scores[who]))] for who in ("ours", MTEB)))}
    return result


def _mteb(folder: Path, tests: list[RetrievalSet], embedded: list) -> subprocess.Popen | None:
    """mteb's evaluator in its own environment, waiting for its turns; None where there is no such environment."""
    python = os.environ.get(PEER_PYTHON)
    if not python:
        say(f"mteb is left out: {PEER_PYTHON} names no Python that has it (python -m venv, pip install mteb)")
        return None
    arrays = {}
    for number, (test, (queries, candidates)) in enumerate(zip(tests, embedded, strict=True)):
        place = {candidate.id: row for row, candidate in enumerate(test.candidates)}
        gold = [place[min(test.gold[query.id])] for query in test.queries]
        arrays |= {f"queries {number}": queries, f"candidates {number}": candidates, f"gold {number}": gold}
    np.savez(folder / "embeddings.npz", **arrays)
    script = Path(__file__).with_name("mteb_peer.py")
    command = [python, "-W", "ignore", str(script), str(folder / "embeddings.npz"), str(torch.get_num_threads())]
    quiet = os.environ | {"TQDM_DISABLE": "1"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)


def _ask(peer: subprocess.Popen, scores: dict[str, list[float]]) -> float:
    """One turn of mteb: its seconds; its accuracies go into `scores`."""
    peer.stdin.write("\n")
    peer.stdin.flush()
    answer = peer.stdout.readline()
    if not answer:
        raise BenchError(f"mteb ended with code {peer.wait()}; see its error above, or unset {PEER_PYTHON}")
    found = json.loads(answer)
    scores[MTEB] = found["scores"]
    return found["seconds"]
