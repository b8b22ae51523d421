"""Which features are computed together: batches of similar length, micro-batches, and shares of the processes."""

from dataclasses import dataclass

import numpy as np

from stilts_core.families.features import Features

POOL_BATCHES = 50  # batches whose features are sorted by length together
GROUP_STREAM = 0x6E0F  # keeps the random numbers that order a group's features apart from those that shuffle epochs


def draw_epoch_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Draw one epoch: batches of `batch_size` features of similar length, in random order.

    The features are shuffled, sorted by length within pools of 50 batches, and cut into batches. Every epoch therefore
    contains each feature once, with little padding, and the composition of the batches changes from epoch to epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    pool_size = POOL_BATCHES * batch_size
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool_size):
        pool = order[start : start + pool_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


@dataclass(frozen=True)
class GroupSampling:
    """How an epoch visits features in groups, such as languages: each group gets its share of the visits.

    groups  (features,) the group of each feature     shares  (groups,) that sum to 1
    """

    groups: np.ndarray
    shares: np.ndarray

    def draw_visits(self, seed: int, epoch: int) -> np.ndarray:
        """The features that an epoch visits, as many as there are, each perhaps never or several times.

        A group visits its features in rounds, each round in a new order. Epochs continue where the one before ended,
        so that all features of a group are visited equally often.
        """
        counts = count_visits(self.shares, len(self.groups))
        visits = []
        for group, count in enumerate(counts.tolist()):
            members = np.flatnonzero(self.groups == group)
            if not count:
                continue
            first, offset = divmod(epoch * count, len(members))
            rounds = [
                np.random.default_rng([seed, GROUP_STREAM, group, number]).permutation(members)
                for number in range(first, first + -(-(offset + count) // len(members)))
            ]
            visits.append(np.concatenate(rounds)[offset : offset + count])
        return np.concatenate(visits)


def count_visits(shares: np.ndarray, total: int) -> np.ndarray:
    """`total` divided by `shares` into whole numbers that sum to it (largest remainders first)."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    remaining = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
    counts[remaining] += 1
    return counts


def split_within_budget(features: Features, chosen: np.ndarray, token_budget: int) -> list[np.ndarray]:
    """Split the chosen features into micro-batches of at most `token_budget` padded sub-words.

    A micro-batch has at least one feature, even if this feature exceeds the budget. The micro-batches are sorted by
    length, longest first, so that the largest allocation of memory comes first.
    """
    lengths = features.lengths[chosen]
    sequences = features.first[chosen + 1] - features.first[chosen]
    order = np.argsort(-lengths, kind="stable")
    micro_batches, start = [], 0
    while start < len(order):
        longest = lengths[order[start]]
        candidates = order[start : start + max(1, token_budget // longest)]
        count = max(1, int((np.cumsum(sequences[candidates]) * longest <= token_budget).sum()))
        micro_batches.append(chosen[candidates[:count]])
        start += count
    return micro_batches


def split_evenly(features: Features, chosen: np.ndarray, count: int) -> list[np.ndarray]:
    """Split the chosen features into `count` shares of about as many sub-words each, one share for each process.

    Each share holds features of similar length; the first share holds the longest. The size of a share differs from
    the mean size by at most the size of the largest feature. If there are few features, some shares are empty.
    """
    sizes = features.starts[features.first[chosen + 1]] - features.starts[features.first[chosen]]
    order = np.argsort(-features.lengths[chosen], kind="stable")
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    cuts = np.searchsorted(middles, sizes.sum() * np.arange(1, count) / count)
    return np.split(chosen[order], cuts)


def compute_sampling_shares(sizes: list[int], *, temperature: float = 1.0, cap: int = 0) -> np.ndarray:
    """The share of steps that multi-task training gives each task: min(size, cap) ** (1 / temperature), normalised.

    Temperature 1 samples in proportion to size, as jiant does; a higher temperature samples more evenly. A cap of 0
    means no cap.
    """
    capped = np.minimum(sizes, cap) if cap else np.asarray(sizes)
    weights = capped.astype(float) ** (1 / temperature)
    return weights / weights.sum()
