"""mteb's part of the Tatoeba benchmark, run by a Python that has mteb and does not have this package.

    python mteb_peer.py FOLDER THREADS

FOLDER has three files for every language: N-queries.npy, N-candidates.npy and N-gold.npy. For every line on standard
input the script scores all languages once and prints {"seconds": …, "scores": […]}.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mteb._evaluators import BitextMiningEvaluator
from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
from mteb.timing import TimingStack
from torch.utils.data import DataLoader


class StoredEmbeddings:
    """A model for mteb that returns stored embeddings and compares them by inner product.

    The texts that mteb passes only name the side. The embeddings are unit vectors, so their inner product is the
    cosine, without the normalisation that mteb's own models do.
    """

    def __init__(self, embeddings: dict[str, torch.Tensor]) -> None:
        self.embeddings = embeddings

    def encode(self, texts: DataLoader, **_: object) -> torch.Tensor:
        """The embeddings of the side that the first text names."""
        return self.embeddings[texts.dataset[0]["text"]]

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """The inner products, (queries, candidates)."""
        return queries @ candidates.T


def compute_accuracy(queries: np.ndarray, candidates: np.ndarray, gold: np.ndarray) -> float:
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
    neighbours = evaluator(StoredEmbeddings(sides), encode_kwargs={})["queries-candidates"]
    return 100 * AbsTaskBitextMining._compute_metrics(None, neighbours, list(enumerate(gold.tolist())))["accuracy"]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    languages = [
        [np.load(folder / f"{number}-{name}.npy") for name in ("queries", "candidates", "gold")]
        for number in range(len(list(folder.glob("*-gold.npy"))))
    ]
    for _ in sys.stdin:
        started = time.perf_counter()
        scores = [compute_accuracy(*language) for language in languages]
        print(json.dumps({"seconds": time.perf_counter() - started, "scores": scores}, allow_nan=False), flush=True)
