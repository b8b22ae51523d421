"""Findings: what a contrast shows, as numbers that a sentence can take, with a verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from stilts_core.studies.differences import Pairs, TooFewPairs, pair_runs, require_arms
from stilts_core.studies.inference import Effect, adjust, compare_equivalence, compare_means
from stilts_core.studies.power import (
    POWER,
    detectable_effect,
    detectable_margin,
    power_of_difference,
    power_of_equivalence,
)
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.registration import Standing
from stilts_core.studies.regression import ratio_and_size, slopes_by_unit
from stilts_core.studies.results import StudyTable

Verdict = Literal["supported", "not supported", "cannot tell"]


@dataclass(frozen=True)
class Finding:
    """What one contrast shows.

    `value` with its interval `low` to `high` of coverage `coverage`, in `unit_of_value`, from `n` replicates (`unit`)
    with standard deviation `sd`; `p` as the test gives it, and `p_adjusted` after `correction`. `power` is that of the
    test for the smallest effect of interest (for equivalence: for no effect), with the observed spread;
    `detectable` is the effect, or margin, that it detects with power .9; both at the level of Holm's first step.
    `confirmatory` and the `reasons` against it come from the registration. `notes` are sentences that a page
    must print. `untested` is a clause that says why the data test nothing; p values and power then mean nothing.
    """

    name: str
    target: str
    group: str
    test: str
    value: float
    low: float
    high: float
    coverage: float
    p: float
    p_adjusted: float
    correction: str
    n: int
    unit: str
    sd: float
    sesoi: float
    power: float
    detectable: float
    verdict: Verdict
    confirmatory: bool
    unit_of_value: str = "points"
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    untested: str = ""

    @property
    def sentence(self) -> str:
        """The finding in one sentence, with its interval and its verdict."""
        kind = "confirmatory" if self.confirmatory else "exploratory"
        found = (
            f"{self.name} ({self.target}, {self.group}): {self.value:+z.2f} {self.unit_of_value} "
            f"[{self.low:+z.2f}, {self.high:+z.2f}], {self.coverage:.0%} interval over {self.n} {self.unit}s"
        )
        if self.untested:
            return f"{found}; not testable: {self.untested} ({kind})"
        return (
            f"{found}, p = {self.p_adjusted:.3g} ({self.correction}); {self.verdict} ({kind}; smallest effect of "
            f"interest {self.sesoi:g}, power {self.power:.2f}, detectable {self.detectable:.2f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, and the sentence."""
        return asdict(self) | {"sentence": self.sentence}


def conclude(
    table: StudyTable, protocol: Protocol, standing: Standing | None = None, contrasts: Sequence[Contrast] | None = None
) -> list[Finding]:
    """Return the findings of the contrasts of a protocol, the primary one first.

    An exploratory contrast has no finding if the rules of exclusion leave it too few pairs, as where an arm never
    learns its task. Raises StudyError if an arm of the contrasts has no results, or has too few pairs otherwise.
    """
    contrasts = protocol.contrasts if contrasts is None else contrasts
    require_arms(table, protocol, contrasts)
    tested, every = [], []
    for contrast in contrasts:
        try:
            pairs = pair_runs(table, contrast)
        except TooFewPairs as error:
            if contrast.status == "confirmatory" or not error.excluded:
                raise
            continue
        tested.append(contrast)
        every.append(pairs)
    effects = [evaluate(pairs, protocol) for pairs in every]
    return judge_effects(tested, effects, every, standing)


def judge_effects(
    contrasts: Sequence[Contrast],
    effects: Sequence[Effect],
    pairs: Sequence[Pairs | None],
    standing: Standing | None,
    unit: str = "encoder",
    unit_of_value: str = "points",
) -> list[Finding]:
    """Return findings from estimated effects: multiplicity is corrected, then every effect is judged.

    Confirmatory contrasts are one family with Holm's correction; exploratory ones have Benjamini and Hochberg's. Where
    the data test nothing, p is 1: the confirmatory family keeps its registered size, and the exploratory one loses this
    contrast. Without `pairs` the replicates are `unit`s.
    """
    standing = standing or Standing(False, ("the registration was not checked",))
    adjusted = [1.0] * len(contrasts)
    count = sum(contrast.status == "confirmatory" for contrast in contrasts)
    for status, method in (("confirmatory", "holm"), ("exploratory", "fdr_bh")):
        places = [
            place
            for place, (contrast, effect) in enumerate(zip(contrasts, effects, strict=True))
            if contrast.status == status and (status == "confirmatory" or not effect.untested)
        ]
        corrected = adjust([effects[place].p for place in places], method)
        for place, p in zip(places, corrected, strict=True):
            adjusted[place] = p
    return [
        _judge_effect(contrast, effect, p, of, standing, unit, unit_of_value, count)
        for contrast, effect, p, of in zip(contrasts, effects, adjusted, pairs, strict=True)
    ]


def evaluate(pairs: Pairs, protocol: Protocol) -> Effect:
    """Return the effect that the test of a contrast asks for, over encoders (or over seeds of one encoder)."""
    contrast = pairs.contrast
    if contrast.test in ("slope", "flat-slope"):
        ratio, size = ratio_and_size(pairs, protocol)
        factors = [ratio] if contrast.regressor == "ratio" else [size, ratio]
        slopes = slopes_by_unit(pairs, np.column_stack(factors))[:, 0]
        if contrast.test == "slope":
            return compare_means(slopes, contrast.direction, contrast.alpha)
        return compare_equivalence(slopes, np.zeros_like(slopes), contrast.sesoi, contrast.alpha)
    differences = pairs.by_unit()
    if contrast.test == "difference":
        return compare_means(differences, contrast.direction, contrast.alpha)
    return compare_equivalence(differences, np.zeros_like(differences), contrast.sesoi, contrast.alpha)


def decide(contrast: Contrast, effect: Effect, p_adjusted: float) -> Verdict:
    """Return the verdict of a test.

    A difference is supported if its corrected p value is below alpha. It is not supported if the interval excludes
    every effect as large as the smallest effect of interest. Equivalence is supported if the corrected p value of both
    one-sided tests is below alpha, and not supported if the interval lies beyond the margin. Otherwise the data cannot
    tell.
    """
    if p_adjusted < contrast.alpha:
        return "supported"
    if contrast.test in ("equivalence", "flat-slope"):
        beyond = effect.low > contrast.sesoi or effect.high < -contrast.sesoi
        return "not supported" if beyond else "cannot tell"
    excluded = {
        "greater": effect.high < contrast.sesoi,
        "less": effect.low > -contrast.sesoi,
        "two-sided": -contrast.sesoi < effect.low and effect.high < contrast.sesoi,
    }
    return "not supported" if excluded[contrast.direction] else "cannot tell"


def _judge_effect(
    contrast: Contrast,
    effect: Effect,
    p_adjusted: float,
    pairs: Pairs | None,
    standing: Standing,
    unit: str,
    unit_of_value: str,
    family: int,
) -> Finding:
    """The finding of a contrast; `family` counts the confirmatory contrasts, for the level of Holm's first step."""
    equivalence = contrast.test in ("equivalence", "flat-slope")
    spread = max(effect.sd, contrast.sesoi / 100)  # of identical runs the power is 1, and not undefined
    sign = -1 if contrast.direction == "less" else 1
    alpha = contrast.alpha / family if contrast.status == "confirmatory" else contrast.alpha
    if equivalence:
        power = power_of_equivalence(contrast.sesoi, spread, effect.n, alpha)
        detectable = detectable_margin(spread, effect.n, alpha)
    else:
        power = power_of_difference(sign * contrast.sesoi, spread, effect.n, alpha, contrast.direction)
        detectable = detectable_effect(spread, effect.n, alpha, contrast.direction, POWER)
    in_family = contrast.status == "confirmatory"
    return Finding(
        name=contrast.name,
        target=contrast.target,
        group=contrast.group,
        test=contrast.test,
        value=effect.value,
        low=effect.low,
        high=effect.high,
        coverage=1 - contrast.alpha * (2 if equivalence else 1),
        p=effect.p,
        p_adjusted=p_adjusted,
        correction="Holm" if in_family else "Benjamini–Hochberg",
        n=effect.n,
        unit=pairs.unit if pairs else unit,
        sd=effect.sd,
        sesoi=contrast.sesoi,
        power=min(1.0, power),
        detectable=detectable,
        verdict="cannot tell" if effect.untested else decide(contrast, effect, p_adjusted),
        confirmatory=in_family and standing.confirmatory,
        unit_of_value="points a doubling" if "slope" in contrast.test else unit_of_value,
        reasons=standing.reasons if in_family else ("the contrast is exploratory",),
        notes=tuple(_notes(pairs)) if pairs else (),
        untested=effect.untested,
    )


def _notes(pairs: Pairs) -> list[str]:
    notes = []
    if pairs.dropped:
        count = "1 pair was" if pairs.dropped == 1 else f"{pairs.dropped} pairs were"
        notes.append(f"{count} excluded by the protocol's rules.")
    if pairs.unit == "seed":
        notes.append(f"The claim holds for the encoder {', '.join(sorted(set(pairs.encoders)))} only.")
    return notes
