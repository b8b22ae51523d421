"""Inference from paired differences: t tests and equivalence over encoders, a hierarchical bootstrap, a mixed model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.power import Direction

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000
_AUXILIARY_BLOCK = 2**24  # counts in memory together


@dataclass(frozen=True)
class Effect:
    """An estimate with its interval of coverage 1 - alpha (for equivalence 1 - 2 alpha), and the test's p value.

    `n` replicates with standard deviation `sd`. `untested` says why the data test nothing, whatever the numbers are.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    sd: float
    untested: str = ""


def describe_p(p: float) -> str:
    """A p value in words for a sentence: p = 0.032, or p < 0.001 if it is smaller."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def compare_means(differences: np.ndarray, direction: Direction = "two-sided", alpha: float = 0.05) -> Effect:
    """Return the mean of paired differences (units,) with Student's interval, and the p value of no difference.

    The interval is two-sided, whatever the direction of the test. Raises StudyError with fewer than two replicates.
    """
    from scipy import stats

    n, mean, error = _moments(differences)
    sides = {"greater": "greater", "less": "less", "two-sided": "two-sided"}
    if error == 0:  # identical runs: there is nothing that could differ
        p = 1.0 if mean == 0 else float((mean < 0) == (direction == "greater") and direction != "two-sided")
    else:
        p = float(stats.ttest_1samp(differences, 0.0, alternative=sides[direction]).pvalue)
    half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
    return Effect(mean, mean - half, mean + half, p, n, error * float(np.sqrt(n)))


def compare_equivalence(treatment: np.ndarray, control: np.ndarray, margin: float, alpha: float = 0.05) -> Effect:
    """Return the mean paired difference with its 1 - 2 alpha interval, and the p value of two one-sided tests.

    A small p value shows that the difference lies within ±`margin` (statsmodels `ttost_paired`).
    """
    from scipy import stats
    from statsmodels.stats.weightstats import ttost_paired

    n, mean, error = _moments(treatment - control)
    if error == 0:
        p = 0.0 if abs(mean) < margin else 1.0
    else:
        p = float(ttost_paired(treatment, control, -margin, margin)[0])
    half = float(stats.t.ppf(1 - alpha, n - 1)) * error
    return Effect(mean, mean - half, mean + half, p, n, error * float(np.sqrt(n)))


def _moments(differences: np.ndarray) -> tuple[int, float, float]:
    """The number of differences, their mean, and its standard error."""
    n = len(differences)
    if n < 2:
        raise StudyError(f"{n} replicate cannot show a spread; run at least two encoders or seeds")
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(n))
    return n, mean, error if error > 1e-12 * max(1.0, abs(mean)) else 0.0  # less is rounding: the differences are equal


def adjust(p_values: Sequence[float], method: str = "holm") -> list[float]:
    """Return p values corrected for multiplicity, in their order: `holm`, or `fdr_bh` (Benjamini–Hochberg)."""
    if len(p_values) < 2:
        return list(p_values)
    from statsmodels.stats.multitest import multipletests  # which collects garbage at every call: 0.1 s

    return [float(p) for p in multipletests(list(p_values), method=method)[1]]


def hierarchical_bootstrap(
    differences: np.ndarray,
    items: Sequence[np.ndarray] | None = None,
    *,
    languages: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Return resampled means (resamples,) of `differences` (encoders, seeds, languages), NaN where there is none.

    Each resample draws encoders, seeds within each drawn encoder, and languages. All encoders share the languages, so
    these are drawn once for all. With `languages` False they stay: the interval then holds for these languages alone.
    `items` is a list over languages of arrays (encoders, seeds, items), whose means replace `differences`; items are
    drawn once for all runs, too, because all runs are scored on the same items.
    """
    rng = np.random.default_rng(seed)
    encoders, seeds, codes = differences.shape
    size = max(1, _AUXILIARY_BLOCK // max(1, encoders * seeds * codes + (items[0].shape[2] if items else 0)))
    means = []
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        runs = _draw_runs(rng, differences, count)
        of_language = _draw_uniform(rng, codes, count) if languages else np.ones((count, codes))
        if items is None:
            total = np.einsum("bes,bl,esl->b", runs, of_language, np.nan_to_num(differences), optimize=True)
            weight = np.einsum("bes,bl,esl->b", runs, of_language, ~np.isnan(differences) * 1.0, optimize=True)
        else:
            total, weight = np.zeros(count), np.zeros(count)
            for column, values in enumerate(items):
                drawn = _draw_uniform(rng, values.shape[2], count) / values.shape[2]
                flat = np.nan_to_num(values).reshape(encoders * seeds, -1)
                by_run = runs.reshape(count, -1) * of_language[:, column, None]
                total += (by_run * (drawn @ flat.T)).sum(axis=1)
                weight += by_run @ (~np.isnan(values[..., 0])).ravel()
        means.append(total / weight)
    return np.concatenate(means)


def expanded_interval(means: np.ndarray, replicates: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return the expanded percentile interval of resampled means, with coverage 1 - `alpha`.

    The plain percentile interval is too narrow for few replicates (with twelve encoders it covers .91 instead of .95).
    The percentiles are moved so that the interval of a normal mean has Student's width (Hesterberg 2015, What Teachers
    Should Know About the Bootstrap, section 4.2.2). `replicates` is the number of encoders.
    """
    from scipy import stats

    width = stats.t.ppf(1 - alpha / 2, replicates - 1) * np.sqrt(replicates / (replicates - 1))
    tail = float(stats.norm.cdf(-width))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _draw_runs(rng: np.random.Generator, differences: np.ndarray, count: int) -> np.ndarray:
    """The weight of each run in each resample, (count, encoders, seeds): encoders first, then seeds within each."""
    present = ~np.isnan(differences).all(axis=2)
    encoders, seeds = present.shape
    drawn = _draw_uniform(rng, encoders, count)
    within = np.zeros((count, encoders, seeds))
    for encoder, row in enumerate(present):
        within[:, encoder, row] = _draw_uniform(rng, int(row.sum()), count) / row.sum()
    return drawn[:, :, None] * within


def _draw_uniform(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """How often each of `size` things is in each of `count` resamples with replacement, (count, size)."""
    return rng.multinomial(size, np.full(size, 1 / size), count).astype(float)


@dataclass(frozen=True)
class MixedModel:
    """A mixed model of differences: the mean with its interval, and standard deviations by source of variation.

    `converged` is False where the estimate is not to be trusted.
    """

    value: float
    low: float
    high: float
    deviations: dict[str, float]
    converged: bool


def fit_mixed_model(frame: "pd.DataFrame", alpha: float = 0.05) -> MixedModel:
    """Fit the mean of the column `difference` with random effects of encoder, of seed within encoder, and of language.

    The sources are crossed variance components of one group (statsmodels `MixedLM`, REML). A source with a single level
    is left out. The interval is Wald's: with few encoders it is too narrow, so a t test over encoders stays primary.
    """
    import warnings

    from scipy import stats
    from statsmodels.regression.mixed_linear_model import MixedLM

    frame = frame.assign(run=frame["encoder"].astype(str) + " " + frame["seed"].astype(str))
    sources = {"encoder": "encoder", "seed": "run", "language": "language"}
    counts = {name: frame[column].nunique() for name, column in sources.items()}
    used = {name: f"0 + C({column})" for name, column in sources.items() if counts[name] > 1}
    if counts["seed"] == counts["encoder"]:
        used.pop("seed", None)
    with warnings.catch_warnings():  # a variance of zero is on the boundary, and one optimiser may need the other
        warnings.simplefilter("ignore")
        model = MixedLM.from_formula("difference ~ 1", frame, groups=np.ones(len(frame)), vc_formula=used)
        fitted = model.fit(reml=True, method=["lbfgs", "powell"])
    names = model.exog_vc.names
    deviations = {name: float(np.sqrt(max(0.0, value))) for name, value in zip(names, fitted.vcomp, strict=True)}
    value, error = float(fitted.fe_params.iloc[0]), float(fitted.bse_fe.iloc[0])
    half = float(stats.norm.ppf(1 - alpha / 2)) * error
    converged = bool(fitted.converged and np.isfinite(error))
    return MixedModel(value, value - half, value + half, deviations | {"residual": float(fitted.scale**0.5)}, converged)
