"""Nearest neighbours among embeddings and their margins, with one block of inner products in memory at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from stilts_core.families.ranking import ranked

NEIGHBOURHOOD = 4  # nearest neighbours that a margin is measured against (Artetxe and Schwenk 2019; XTREME's BUCC)
BLOCK = 2048  # rows of either side whose inner products are in memory together: 16 MiB

Neighbours = tuple[np.ndarray, np.ndarray]  # inner products and indices, both (rows, k), best first


def neighbours(queries: np.ndarray, candidates: np.ndarray, k: int, block: int = BLOCK) -> Neighbours:
    """The `k` candidates with the largest inner product for each query, best first, ties by lowest index.

    Takes (queries, dimensions) and (candidates, dimensions) in fp32; returns inner products and indices, both
    (queries, k), or fewer columns where there are fewer candidates. Holds a few times `block` squared inner products.
    """
    forward = Nearest(len(queries), min(k, len(candidates)))
    for query, candidate, products in _blocks(queries, candidates, block):
        forward.add(query, candidate, products)
    return forward.found()


def mutual_neighbours(x: np.ndarray, y: np.ndarray, k: int, block: int = BLOCK) -> tuple[Neighbours, Neighbours]:
    """`neighbours` of `x` in `y`, and of `y` in `x`: every inner product is computed once and serves both."""
    forward, backward = Nearest(len(x), min(k, len(y))), Nearest(len(y), min(k, len(x)))
    for row, column, products in _blocks(x, y, block):
        forward.add(row, column, products)
        backward.add(column, row, products.T)
    return forward.found(), backward.found()


def _blocks(x: np.ndarray, y: np.ndarray, block: int) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Inner products of some rows of `x` with some of `y`, and where both begin; good until the next are asked for."""
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    # A little wider than the block: a column read across rows a power of two apart would fall into one cache set.
    room = torch.empty(min(block, len(x)), min(block, len(y)) + 16)
    for row in range(0, len(x), block):
        for column in range(0, len(y), block):
            some, others = x[row : row + block], y[column : column + block]
            yield row, column, torch.mm(some, others.T, out=room[: len(some), : len(others)])


class Nearest:
    """The `k` best candidates of each row so far."""

    def __init__(self, rows: int, k: int):
        self.scores = torch.full((rows, k), -torch.inf)
        self.indices = torch.zeros((rows, k), dtype=torch.int64)

    def add(self, row: int, first: int, products: torch.Tensor) -> None:
        """Take in the inner products of the rows from `row` on with the candidates from `first` on, lower ones first.

        After a few blocks most rows have nothing better in the next, which their largest inner product tells.
        """
        k = self.scores.shape[1]
        better = (products.amax(1) > self.scores[row : row + len(products), -1]).nonzero()[:, 0]
        if len(better) < len(products) or products.stride(1) > 1:
            products = products.index_select(0, better)
        places = ranked(products, k)
        scores = torch.cat([self.scores[row + better], products.gather(1, places)], 1)
        indices = torch.cat([self.indices[row + better], first + places], 1)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        self.scores[row + better], self.indices[row + better] = scores.gather(1, order), indices.gather(1, order)

    def found(self) -> Neighbours:
        return self.scores.numpy(), self.indices.numpy()


def margin_scores(forward: Neighbours, backward: Neighbours) -> np.ndarray:
    """Ratio margins of each query and its neighbours, (queries, k), from `mutual_neighbours`.

    The inner product of a pair, divided by the mean of the query's and of the candidate's mean inner product with
    their own nearest neighbours (Artetxe and Schwenk 2019, equation 3, in XTREME's form).
    """
    (scores, indices), (back, _) = forward, backward
    return scores / ((scores.mean(axis=1)[:, None] + back.mean(axis=1)[indices]) / 2)
