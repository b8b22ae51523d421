"""Transferability scores: how well features foretell a target task's labels.

A higher score promises a better transfer. Labels are whole numbers from 0; every label from 0 to the largest one must
occur.
"""

import numpy as np

from stilts_core.errors import StudyError

_FLOOR = 1e-5  # LogME's published code adds it to the sums of squares
_ITERATIONS = 50


def log_evidence(features: np.ndarray, labels: np.ndarray) -> float:
    """Return LogME: the mean maximum log evidence a label and example of `features` (n, d) for `labels` (n,).

    You et al. (2021), LogME: Practical Assessment of Pre-trained Models for Transfer Learning; with the fixed-point
    iteration of You et al. (2022), Ranking and Tuning Pre-trained Models. The published code omits a term for
    directions in which the features do not vary; here it is included, so that features with d > n can be compared with
    others.
    """
    features, labels = _checked(features, labels)
    n, d = features.shape
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    rank = int((singular > 1e-10 * max(1.0, singular[0])).sum())
    left, squared = left[:, :rank], singular[:rank] ** 2
    evidences = []
    for label in range(int(labels.max()) + 1):
        target = (labels == label).astype(float)
        projected = (left.T @ target) ** 2
        outside = max(0.0, float(target @ target - projected.sum()))
        evidences.append(_evidence(squared, projected, outside, n, d))
    return float(np.mean(evidences))


def _evidence(squared: np.ndarray, projected: np.ndarray, outside: float, n: int, d: int) -> float:
    """The maximum log evidence of one label, divided by the number of examples."""
    alpha, beta = 1.0, 1.0
    for _ in range(_ITERATIONS):
        ratio = alpha / beta
        effective = (squared / (squared + ratio)).sum()
        weights = (squared * projected / (ratio + squared) ** 2).sum()
        residual = (projected / (1 + squared / ratio) ** 2).sum() + outside
        alpha, beta = effective / (weights + _FLOOR), (n - effective) / (residual + _FLOOR)
        if abs(alpha / beta - ratio) / ratio <= 1e-3:
            break
    ratio = alpha / beta
    weights = (squared * projected / (ratio + squared) ** 2).sum()
    residual = (projected / (1 + squared / ratio) ** 2).sum() + outside
    determinant = np.log(alpha + beta * squared).sum() + (d - len(squared)) * np.log(alpha)
    fit = beta * residual + alpha * weights
    return float((d * np.log(alpha) + n * np.log(beta) - determinant - fit - n * np.log(2 * np.pi)) / (2 * n))


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the H-score: trace(cov(features)⁺ · cov(class means)) of `features` (n, d) and `labels` (n,).

    Bao et al. (2019), An Information-Theoretic Approach to Transferability in Task Transfer Learning.
    """
    features, labels = _checked(features, labels)
    centred = features - features.mean(axis=0)
    means = np.zeros_like(centred)
    for label in np.unique(labels):
        means[labels == label] = centred[labels == label].mean(axis=0)
    return float(np.trace(np.linalg.pinv(centred.T @ centred, rcond=1e-10) @ (means.T @ means)))


def neighbour_accuracy(features: np.ndarray, labels: np.ndarray, k: int = 5) -> float:
    """Return the leave-one-out accuracy, in [0, 1], of the `k` nearest neighbours by cosine of `features` (n, d).

    The majority decides; of equally frequent labels the smallest wins. Raises StudyError without `k` neighbours.
    """
    features, labels = _checked(features, labels)
    if not 1 <= k < len(labels):
        raise StudyError(f"k is {k}, and there are {len(labels)} examples; choose k from 1 to {len(labels) - 1}")
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(lengths > 0, lengths, 1)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    votes = np.eye(int(labels.max()) + 1)[labels[nearest]].sum(axis=1)
    return float((votes.argmax(axis=1) == labels).mean())


def _checked(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features as numbers (n, d) and labels (n,). Raises StudyError if they do not fit each other."""
    features, labels = np.asarray(features, float), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise StudyError(f"features {features.shape} and labels {labels.shape} do not fit; expected (n, d) and (n,)")
    if not np.isfinite(features).all():
        raise StudyError("features have a value that is not finite; leave out the examples with it")
    if labels.min() < 0 or len(np.unique(labels)) != labels.max() + 1:
        raise StudyError(f"labels are {np.unique(labels)[:9].tolist()}; number them from 0 without a gap")
    return features, labels


def sort_by_score(gains: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return gains in the order of falling scores, over the last axis of (..., tasks).

    Of equal scores the first task comes first.
    """
    gains, scores = np.broadcast_arrays(gains, scores)
    return np.take_along_axis(gains, np.argsort(-scores, axis=-1, kind="stable"), axis=-1)


def regret(ordered: np.ndarray, k: int = 1) -> np.ndarray:
    """Return Regret@k: the best gain minus the best of the first `k` gains, over the last axis, in points.

    `ordered` (..., tasks) are gains as `sort_by_score` orders them.
    """
    return ordered.max(axis=-1) - ordered[..., :k].max(axis=-1)


def discounted_gain(ordered: np.ndarray) -> np.ndarray:
    """Return NDCG of gains as `sort_by_score` orders them, over the last axis of (..., tasks), in [0, 1].

    Gains are shifted so that the worst task has relevance 0, because NDCG is defined for relevances that are not
    negative. It is 1 where all gains are equal.
    """
    relevance = ordered - ordered.min(axis=-1, keepdims=True)
    discount = 1 / np.log2(np.arange(ordered.shape[-1]) + 2)
    achieved, ideal = relevance @ discount, -np.sort(-relevance, axis=-1) @ discount
    return np.divide(achieved, ideal, out=np.ones_like(achieved), where=ideal > 0)
