"""Nearest neighbours among embeddings and their margins, with one block of inner products in memory at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from stilts_core.families.top_k import top_k

NEIGHBOURHOOD = 4  # nearest neighbours that define a margin (Artetxe and Schwenk 2019; XTREME's BUCC)
BLOCK = 2048  # rows of each side in one block of inner products: 16 MiB

Neighbours = tuple[np.ndarray, np.ndarray]  # inner products and indices, both (rows, k), best first


def find_neighbours(queries: np.ndarray, candidates: np.ndarray, k: int, block: int = BLOCK) -> Neighbours:
    """The `k` candidates with the largest inner product for each query, best first, ties by lowest index.

    Takes (queries, dimensions) and (candidates, dimensions) in fp32. Returns inner products and indices, both
    (queries, k), or fewer columns if there are fewer candidates. Memory is a few times `block` squared inner products.
    """
    forward = Nearest(len(queries), min(k, len(candidates)))
    for row, column, products in _blocks(queries, candidates, block):
        forward.add(row, column, products)
    return forward.result()


def find_mutual_neighbours(x: np.ndarray, y: np.ndarray, k: int, block: int = BLOCK) -> tuple[Neighbours, Neighbours]:
    """The neighbours of `x` in `y`, and of `y` in `x`; every inner product is computed once and serves both."""
    forward, backward = Nearest(len(x), min(k, len(y))), Nearest(len(y), min(k, len(x)))
    for row, column, products in _blocks(x, y, block):
        forward.add(row, column, products)
        backward.add(column, row, products.T)
    return forward.result(), backward.result()


def _blocks(x: np.ndarray, y: np.ndarray, block: int) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Blocks of inner products of `x` and `y`, each with its first row and column. The next block overwrites it."""
    left, right = torch.from_numpy(x), torch.from_numpy(y)
    # A little wider than the block: if rows were a power of two apart, a column would fall into one set of the cache.
    buffer = torch.empty(min(block, len(x)), min(block, len(y)) + 16)
    for row in range(0, len(x), block):
        for column in range(0, len(y), block):
            rows, columns = left[row : row + block], right[column : column + block]
            yield row, column, torch.mm(rows, columns.T, out=buffer[: len(rows), : len(columns)])


class Nearest:
    """The `k` best candidates of each row among the candidates added so far."""

    def __init__(self, rows: int, k: int):
        self.scores = torch.full((rows, k), -torch.inf)
        self.indices = torch.zeros((rows, k), dtype=torch.int64)

    def add(self, row: int, first: int, products: torch.Tensor) -> None:
        """Add a block: inner products of the rows from `row` on with the candidates from `first` on.

        For one row, blocks must come in the order of their candidates. After a few blocks most rows have no better
        candidate in the next one; their largest inner product shows that, and they are skipped.
        """
        k = self.scores.shape[1]
        better = (products.amax(1) > self.scores[row : row + len(products), -1]).nonzero()[:, 0]
        if len(better) < len(products) or products.stride(1) > 1:
            products = products.index_select(0, better)
        columns = top_k(products, k)
        scores = torch.cat([self.scores[row + better], products.gather(1, columns)], 1)
        indices = torch.cat([self.indices[row + better], first + columns], 1)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        self.scores[row + better], self.indices[row + better] = scores.gather(1, order), indices.gather(1, order)

    def result(self) -> Neighbours:
        """Inner products and indices, both (rows, k), best first."""
        return self.scores.numpy(), self.indices.numpy()


def compute_margins(forward: Neighbours, backward: Neighbours) -> np.ndarray:
    """Ratio margins of each query and its neighbours, (queries, k), from `find_mutual_neighbours`.

    The inner product of a pair is divided by the mean of two means: the query's and the candidate's mean inner product
    with their own nearest neighbours (Artetxe and Schwenk 2019, equation 3, in XTREME's form).
    """
    (scores, indices), (backward_scores, _) = forward, backward
    return scores / ((scores.mean(axis=1)[:, None] + backward_scores.mean(axis=1)[indices]) / 2)
