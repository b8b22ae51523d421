"""Q2: intermediate tasks compared with continued pretraining, on sequence labelling."""

from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.differences import Pairs, pair_runs, require_arms
from stilts_core.studies.groups import in_group
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.results import StudyTable

# The 2 × 2 design: with and without labels of an intermediate task, with and without text of the target languages.
NEITHER, LABELS, TEXT, BOTH = "direct", "labels", "text", "labels-and-text"
MLM_LOSS = "mlm_loss"  # the metric of the MLM loss by language after all phases, in nats a sub-word


@dataclass(frozen=True)
class TwoByTwo:
    """The effects of labels, of text, and their interaction on one target, over one group of languages."""

    target: str
    group: str
    labels: Effect
    text: Effect
    interaction: Effect


@dataclass(frozen=True)
class Mediation:
    """How the effect by language goes with the change of a mediator by language, within encoders.

    `slope` is in points for one unit of the mediator. `change` is the mean change of the mediator in one group of
    languages, and `elsewhere` that in the other languages of the contrast (where there are none: in the same).
    `mediated` is `slope` times `change` within each encoder: the part of the group's effect that goes with the
    mediator. The association is not causal.
    """

    contrast: str
    metric: str
    slope: Effect
    change: Effect
    elsewhere: Effect
    mediated: Effect


def cross_labels_and_text(table: StudyTable, protocol: Protocol, target: str, group: str) -> TwoByTwo:
    """Return the 2 × 2 of labels and text. Raises StudyError if one of its four arms is missing.

    Main effects are means over both levels of the other factor.
    """
    contrasts = [_plain(arm, target, group) for arm in (LABELS, TEXT, BOTH)]
    require_arms(table, protocol, contrasts)
    labels, text, both = _common_units([pair_runs(table, contrast) for contrast in contrasts])
    return TwoByTwo(
        target,
        group,
        labels=compare_means((labels + both - text) / 2),
        text=compare_means((text + both - labels) / 2),
        interaction=compare_means(both - labels - text),
    )


def mediate(table: StudyTable, contrast: Contrast, metric: str = MLM_LOSS, place: str = "non-english") -> Mediation:
    """Return the association of the effect with the change of a mediator, over the languages of the contrast's group.

    `place` is the group of languages whose effect is explained. Raises StudyError if the metric was not recorded, or if
    it does not vary between languages.
    """
    pairs = pair_runs(table, contrast)
    changes = pair_runs(table, contrast.model_copy(update={"metric": metric, "control_metric": ""}))
    codes = [code for code in pairs.codes if code in changes.codes and in_group(code, contrast.group)]
    encoders = sorted(set(pairs.encoders) & set(changes.encoders))
    values = [_by_encoder_and_language(of, encoders, codes) for of in (pairs, changes)]
    centred = values[1] - values[1].mean(axis=1, keepdims=True)
    if (spread := (centred**2).sum(axis=1)).min() == 0:
        raise StudyError(f"metric {metric!r} changes equally in all languages: it cannot explain differences")
    slopes = (centred * values[0]).sum(axis=1) / spread
    inside = np.array([in_group(code, place) for code in codes])
    change, elsewhere = (values[1][:, chosen if chosen.any() else inside].mean(axis=1) for chosen in (inside, ~inside))
    effects = map(compare_means, (slopes, change, elsewhere, slopes * change))
    return Mediation(contrast.name, metric, *effects)


def _by_encoder_and_language(pairs: Pairs, encoders: list[str], codes: list[str]) -> np.ndarray:
    """Mean differences, (encoders, languages)."""
    columns = [pairs.codes.index(code) for code in codes]
    return np.stack([pairs.by_language[pairs.encoders == name][:, columns].mean(axis=0) for name in encoders])


def _common_units(pairs: list[Pairs]) -> list[np.ndarray]:
    """The endpoint of each contrast by encoder, for the encoders that all of them have."""
    encoders = sorted(set.intersection(*({str(name) for name in of.encoders} for of in pairs)))
    if len(encoders) < 2:
        raise StudyError(f"{len(encoders)} encoders have all four arms {NEITHER}, {LABELS}, {TEXT}, {BOTH}; run them")
    return [np.array([of.endpoint[of.encoders == name].mean() for name in encoders]) for of in pairs]


def _plain(arm: str, target: str, group: str) -> Contrast:
    return Contrast(
        name=arm, treatment=arm, control=NEITHER, target=target, group=group, test="difference", sesoi=1.0, sd=1.0
    )


def forgetting(table: StudyTable, protocol: Protocol, target: str) -> dict[str, Effect]:
    """Return what every arm changes on English, in points, by arm: a negative value is forgetting."""
    arms = [name for name, arm in protocol.arms.items() if name != NEITHER and target in (arm.targets or (target,))]
    contrasts = [_plain(arm, target, "english") for arm in arms]
    require_arms(table, protocol, contrasts)
    return {contrast.treatment: compare_means(pair_runs(table, contrast).by_unit()) for contrast in contrasts}
