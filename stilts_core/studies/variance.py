"""How much of an effect belongs to the task, to the language, and to both: variance components from split halves."""

from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError

FEWEST = 3  # tasks, and languages: with fewer, the interaction has hardly a degree of freedom


@dataclass(frozen=True)
class Components:
    """Variances of effects (tasks, languages), and the reliability of the interaction.

    `interaction` is the variance of task × language that two halves of independent seeds and items share. `residual` is
    the rest of the interaction in one half. `reliability` is the share of the interaction's variance that is not noise,
    in the mean of both halves (Spearman and Brown); it is NaN where the halves differ in nothing.
    """

    task: float
    language: float
    interaction: float
    residual: float
    reliability: float


def split_components(first: np.ndarray, second: np.ndarray) -> Components:
    """Return the variance components of effects that two halves estimate independently, each (..., tasks, languages).

    Leading axes, such as several ways to split, are averaged. The covariance of the halves estimates every component
    without bias, so an estimate may be negative. The scores of a half must come from other seeds and other items than
    those of the other half: noise that the halves share would count as signal.

    Raises StudyError with fewer than FEWEST tasks or languages.
    """
    *_, tasks, languages = first.shape
    if min(tasks, languages) < FEWEST:
        raise StudyError(f"{tasks} tasks × {languages} languages: variance components need at least {FEWEST} of each")
    parts = [_decompose(half) for half in (first, second)]
    degrees = (tasks - 1) * (languages - 1)
    shared = _mean_product(parts[0][2], parts[1][2]) * tasks * languages / degrees
    own = sum(_mean_product(part[2], part[2]) for part in parts) / 2 * tasks * languages / degrees
    between_tasks = _mean_product(parts[0][0], parts[1][0]) * tasks / (tasks - 1)
    between_languages = _mean_product(parts[0][1], parts[1][1]) * languages / (languages - 1)
    correlation = shared / own if own > 0 else np.nan
    return Components(
        task=between_tasks - shared / languages,
        language=between_languages - shared / tasks,
        interaction=shared,
        residual=own - shared,
        reliability=2 * correlation / (1 + correlation) if correlation > -1 else np.nan,
    )


def _decompose(effects: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Main effects of tasks (..., tasks) and of languages (..., languages), and the interaction (..., both)."""
    grand = effects.mean(axis=(-2, -1), keepdims=True)
    by_task = effects.mean(axis=-1, keepdims=True) - grand
    by_language = effects.mean(axis=-2, keepdims=True) - grand
    return by_task[..., 0], by_language[..., 0, :], effects - grand - by_task - by_language


def _mean_product(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).mean())


def halve(count: int, splits: int, seed: int = 0) -> np.ndarray:
    """Return `splits` random halves of `count` things, (splits, count): True for the first half.

    Of an odd number the first half has one less.
    """
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(count), (splits, 1)), axis=1)
    return order < count // 2


def explained_share(effects: np.ndarray, moderator: np.ndarray) -> float:
    """Return the share of the interaction in `effects` (tasks, languages) that a property of languages explains.

    Every task has its own slope on `moderator` (languages,). The share is not corrected for the number of slopes.
    """
    interaction = _decompose(effects)[2]
    centred = moderator - moderator.mean()
    fitted = (interaction @ centred / (centred @ centred))[:, None] * centred
    total = float((interaction**2).sum())
    return float((fitted**2).sum()) / total if total else 0.0
