"""mteb's side of the benchmark of Tatoeba, run by a Python that has mteb and nothing of ours.

    python mteb_peer.py EMBEDDINGS.npz THREADS

For every line on standard input it scores all languages once and prints {"seconds": …, "scores": […]}.
"""

import json
import sys
import time

import numpy as np
import torch
from mteb._evaluators import BitextMiningEvaluator
from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
from mteb.timing import TimingStack


class Stored:
    """A model for mteb that gives back embeddings made before, and compares them by inner product.

    The texts that mteb hands over only name the side. The embeddings are unit vectors, so their inner product is the
    cosine, without the normalisation that mteb's models do.
    """

    def __init__(self, embeddings: dict[str, torch.Tensor]):
        self.embeddings = embeddings

    def encode(self, texts, **_) -> torch.Tensor:
        return self.embeddings[texts.dataset[0]["text"]]

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        return queries @ candidates.T


def accuracy(queries: np.ndarray, candidates: np.ndarray, gold: np.ndarray) -> float:
    """mteb's accuracy of one language, on a scale of 0 to 100."""
    sides = {"queries": torch.from_numpy(queries), "candidates": torch.from_numpy(candidates)}
    evaluator = BitextMiningEvaluator(
        {name: [name] * len(embeddings) for name, embeddings in sides.items()},
        task_metadata=None,
        hf_split="test",
        hf_subset="default",
        pair_columns=[("queries", "candidates")],
        timer=TimingStack(),
    )
    found = evaluator(Stored(sides), encode_kwargs={})["queries-candidates"]
    return 100 * AbsTaskBitextMining._compute_metrics(None, found, list(enumerate(gold.tolist())))["accuracy"]


if __name__ == "__main__":
    data = np.load(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    columns = ("queries", "candidates", "gold")
    sets = [tuple(data[f"{column} {n}"] for column in columns) for n in range(len(data.files) // len(columns))]
    for _ in sys.stdin:
        started = time.perf_counter()
        scores = [accuracy(*language) for language in sets]
        print(json.dumps({"seconds": time.perf_counter() - started, "scores": scores}), flush=True)
