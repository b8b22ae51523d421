"""Q3: does typology help to choose the intermediate task for low-resource languages, beyond a placebo?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import comb, floor

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.laboratory.languages import get_language
from stilts_core.studies.differences import Pairs, pair_runs, require_arms
from stilts_core.studies.effects import EffectMap, map_effects
from stilts_core.studies.findings import Finding, evaluate, judge_effects
from stilts_core.studies.groups import ENGLISH, language_distances, language_sizes
from stilts_core.studies.inference import Effect, compare_equivalence, compare_means
from stilts_core.studies.power import overlap_factor
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.registration import Standing
from stilts_core.studies.results import StudyTable
from stilts_core.studies.selection import discounted_gain, regret, sort_by_score
from stilts_core.studies.transferability import SELECTOR
from stilts_core.studies.variance import Components, explained_share, halve, split_components

CONTROL = "direct"
# Of the placebo. With 40, the p value of the primary contrast was between .004 and .043 in the laboratory, by the draw;
# the mean over 40 varied by 0.02 to 0.09 points (SD) in both arms, that over 4,000 varies by a tenth of it.
PERMUTATIONS = 4000
ALIKE = 0.99  # the share of equal choices from which on a contrast of two rules tests nothing
SPLITS = 50  # ways to halve the encoders
RULES = ("random", "always-mnli", "english", "global", "size", "typology", "placebo", "oracle")


@dataclass(frozen=True)
class Gate:
    """Whether there is anything to choose for languages: the components of the effects on one target.

    `interval` is the 95 % interval of the interaction's standard deviation, by the jackknife over encoders. `by_size`
    and `by_distance` are the shares of the interaction that the properties explain.
    """

    target: str
    components: Components
    interval: tuple[float, float]
    by_size: float
    by_distance: float


@dataclass(frozen=True)
class Choice:
    """What a rule of choice achieves on one target, for a group of languages, on encoders that it did not see.

    `gains` (encoders,) are realised gains in points over no intermediate training; `regret_1`, `regret_3` (points) and
    `ndcg` are means over encoders and languages.
    """

    rule: str
    target: str
    gains: np.ndarray
    regret_1: float
    regret_3: float
    ndcg: float


def analyse(table: StudyTable, protocol: Protocol, standing: Standing | None = None) -> list[Finding]:
    """Return the findings of the study, the primary one first; with one encoder they are over its seeds.

    Raises StudyError if arms are missing.
    """
    unit, replicates = "seed" if _has_one_encoder(table) else "encoder", encoders_or_seeds(table)
    tasks = candidate_arms(protocol)
    require_arms(table, protocol, [_need(arm, target) for arm in tasks for target in protocol.targets])
    require_arms(table, protocol, protocol.contrasts)
    maps = {target: map_effects(replicates, target, tasks, CONTROL, group="all") for target in protocol.targets}
    effects: list[Effect] = []
    every: list[Pairs | None] = []
    for contrast in protocol.contrasts:
        of_arms = contrast.treatment in protocol.arms
        every.append(pair_runs(table, contrast) if of_arms else None)
        effects.append(evaluate(every[-1], protocol) if every[-1] else _judge_rules(table, contrast, maps))
    return judge_effects(protocol.contrasts, effects, every, standing, unit)


def _judge_rules(table: StudyTable, contrast: Contrast, maps: Mapping[str, EffectMap]) -> Effect:
    """The effect of a contrast between two rules; it tests nothing where both choose alike, whatever the tasks do."""
    effects, rules = maps[contrast.target], (contrast.treatment, contrast.control)
    measured = {rule: _measured(table, rule, effects) for rule in rules}
    treatment, control = (realise(effects, rule, contrast.group, measured[rule]).gains for rule in rules)
    effect = compare_rules(contrast, treatment, control)
    if "random" in rules or (share := share_of_same_choices(effects, *rules, contrast.group, measured)) < ALIKE:
        return effect
    return replace(effect, p=1.0, untested=f"both rules choose the same task in {describe_share(share)} of cases")


def encoders_or_seeds(table: StudyTable) -> StudyTable:
    """Return a table of several encoders unchanged; of one encoder, a table in which each seed replaces an encoder.

    The analysis then generalises to other seeds of this encoder, and not to other encoders.
    """
    if not _has_one_encoder(table):
        return table
    names = table.frame["encoder"].astype(str) + " seed " + table.frame["seed"].astype(str)
    return StudyTable(table.frame.assign(encoder=names), table.provenance)


def _has_one_encoder(table: StudyTable) -> bool:
    return table.frame["encoder"].nunique() == 1


def candidate_arms(protocol: Protocol) -> list[str]:
    """Return the arms to choose from: all but the control and the shams."""
    return [name for name, arm in protocol.arms.items() if not arm.control and name != CONTROL]


def measure_gate(effects: EffectMap, seed: int = 0) -> Gate:
    """Return the variance components of the effects in all languages but English, with the jackknife's interval.

    Halves differ in their encoders and, where items were recorded, in their items.
    """
    columns = effects.columns("non-english")
    values = effects.values[..., columns]
    halves = values[None].repeat(2, axis=0) if effects.items is None else effects.items[..., columns]
    components = _components(halves, seed)
    n = len(effects.encoders)
    without = [_components(np.delete(halves, place, axis=1), seed).interaction for place in range(n)]
    error = float(np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2)))
    bounds = [components.interaction - 1.96 * error, components.interaction + 1.96 * error]
    low, high = (float(np.sqrt(max(0.0, bound))) for bound in bounds)
    mean, codes = values.mean(axis=0), [effects.codes[column] for column in columns]
    size, distance = language_sizes(codes), language_distances(codes)
    shares = [explained_share(mean, facts) for facts in (size, distance)]
    return Gate(effects.target, components, (low, high), *shares)


def _components(halves: np.ndarray, seed: int) -> Components:
    """Components of (2 halves of items, encoders, tasks, languages), averaged over ways to halve the encoders."""
    chosen = halve(halves.shape[1], SPLITS, seed).astype(float)
    first = np.einsum("se,etl->stl", chosen / chosen.sum(axis=1, keepdims=True), halves[0])
    others = 1 - chosen
    second = np.einsum("se,etl->stl", others / others.sum(axis=1, keepdims=True), halves[1])
    return split_components(first, second)


def realise(
    effects: EffectMap, rule: str, group: str, measured: np.ndarray | None = None, permutations: int = PERMUTATIONS
) -> Choice:
    """Return what a rule achieves for a group of languages.

    Each encoder is left out in turn: the rule learns from the others, chooses a task for every language, and gains what
    that task gains on the encoder that was left out. `measured` (tasks, languages) are the scores of a rule that does
    not learn from effects. The placebo is the typology rule with permuted languages, averaged over `permutations`.
    """
    columns = effects.columns(group)
    truth = np.swapaxes(effects.values[:, :, columns], 1, 2)[:, None]  # (encoders, 1, languages, tasks)
    if rule == "random":
        return _random_choice(effects.target, truth)
    gains, means = [], []
    for place, own in enumerate(truth):
        scores = _scores(rule, effects, columns, place, measured, permutations)
        ordered = sort_by_score(own, np.swapaxes(scores, -1, -2))
        gains.append(ordered[..., 0].mean())
        means.append([regret(ordered, 1).mean(), regret(ordered, 3).mean(), discounted_gain(ordered).mean()])
    return Choice(rule, effects.target, np.array(gains), *(float(mean) for mean in np.mean(means, axis=0)))


def share_of_same_choices(
    effects: EffectMap, rule: str, other: str, group: str, measured: Mapping[str, np.ndarray | None] | None = None
) -> float:
    """Return how often two rules choose the same task for a language of a group, over encoders and permutations.

    Where it is 1, the difference of their gains is zero whatever the tasks do. `measured` has the scores of rules that
    do not learn from effects, as `realise` takes them.
    """
    scores = measured or {}
    columns, shares = effects.columns(group), []
    for place in range(len(effects.encoders)):
        chosen = [
            _scores(name, effects, columns, place, scores.get(name), PERMUTATIONS).argmax(axis=1)
            for name in (rule, other)
        ]
        shares.append(np.mean(chosen[0] == chosen[1]))
    return float(np.mean(shares))


def describe_share(share: float) -> str:
    """A share of equal choices in words for a sentence; what is not all of them never rounds to 100 %."""
    return f"{100 * share:.0f} %" if share < ALIKE or share == 1 else f"{floor(1000 * share) / 10:.1f} %"


def _random_choice(target: str, truth: np.ndarray) -> Choice:
    """What a random order of the tasks achieves in expectation; `truth` is (encoders, 1, languages, tasks)."""
    tasks = truth.shape[-1]
    ordered = -np.sort(-truth, axis=-1)
    losses = []
    for k in (1, 3):
        few = min(k, tasks)
        chances = np.array([comb(tasks - 1 - rank, few - 1) / comb(tasks, few) for rank in range(tasks)])
        losses.append(float((ordered[..., 0] - ordered @ chances).mean()))  # the best of k tasks is the rank-th best
    relevance = ordered - ordered[..., -1:]
    discount = 1 / np.log2(np.arange(tasks) + 2)
    expected, ideal = relevance.mean(axis=-1) * discount.sum(), relevance @ discount
    ndcg = np.divide(expected, ideal, out=np.ones_like(expected), where=ideal > 0)
    return Choice("random", target, truth.mean(axis=(1, 2, 3)), losses[0], losses[1], float(ndcg.mean()))


def tabulate_choices(table: StudyTable, protocol: Protocol, target: str, group: str) -> list[Choice]:
    """Return what every rule achieves on a target: the protocol's selectors, and all scores that the table has."""
    effects = map_effects(table, target, candidate_arms(protocol), CONTROL, group="all")
    metrics = table.frame.loc[table.frame["target"] == target, "metric"].unique()
    measured = sorted(name.removeprefix(SELECTOR) for name in metrics if name.startswith(SELECTOR))
    rules = dict.fromkeys([*protocol.selectors, *measured])
    if ENGLISH not in effects.codes:  # as of retrieval, which pairs English with the others
        rules.pop("english", None)
    return [realise(effects, rule, group, _measured(table, rule, effects)) for rule in rules]


def _scores(
    rule: str, effects: EffectMap, columns: np.ndarray, held_out: int, measured: np.ndarray | None, permutations: int
) -> np.ndarray:
    """The scores (permutations or 1, tasks, columns) by which a rule chooses, learnt without one encoder.

    `columns` are the places of the languages to choose for.
    """
    learnt = np.delete(effects.values, held_out, axis=0).mean(axis=0)
    codes = tuple(effects.codes)
    if measured is not None:
        return measured[None][..., columns]
    if rule == "oracle":
        return effects.values[held_out][None][..., columns]
    if rule == "always-mnli" and "mnli" in effects.arms:
        return np.array([float(arm == "mnli") for arm in effects.arms])[None, :, None].repeat(len(columns), axis=2)
    if rule in ("english", "global"):
        group = "english" if rule == "english" else "non-english"
        return learnt[:, effects.columns(group)].mean(axis=1)[None, :, None].repeat(len(columns), axis=2)
    if rule == "size":
        return predict_effects(learnt, language_sizes(codes), codes, columns)[None]
    if rule == "typology":
        return predict_effects(learnt, language_distances(codes), codes, columns)[None]
    if rule == "placebo":
        rng, distances = np.random.default_rng(held_out), language_distances(codes)
        others = np.array([code != ENGLISH for code in codes])
        permuted = np.tile(distances, (permutations, 1))
        permuted[:, others] = rng.permuted(permuted[:, others], axis=1)
        return predict_effects(learnt, permuted, codes, columns)
    raise StudyError(
        f"there is no rule {rule!r} and no metric {SELECTOR}{rule} in the table; known: {', '.join(RULES)}"
    )


def predict_effects(
    learnt: np.ndarray, property_: np.ndarray, codes: Sequence[str], columns: np.ndarray | None = None
) -> np.ndarray:
    """Return effects predicted by a line in a property of languages, fitted for every task.

    `learnt` is (tasks, languages) and `property_` (..., languages), with leading axes for several properties; the
    result is (..., tasks, languages), or has the languages in the places `columns` only. A language is predicted from
    languages of other families: real languages are left out by family, generated ones one by one. English is never
    fitted.
    """
    columns = np.arange(len(codes)) if columns is None else columns
    weights = _weights(tuple(codes))[columns]
    mean = property_ @ weights.T
    spread = property_**2 @ weights.T - mean**2
    away = property_[..., columns] - mean
    away = np.divide(away, spread, out=np.zeros_like(away), where=spread > 1e-12)[..., None, :]
    mean_effect = learnt @ weights.T
    weighted = (learnt[:, None] * weights).reshape(-1, len(codes))
    product = (property_ @ weighted.T).reshape(*property_.shape[:-1], *mean_effect.shape)
    return mean_effect + (product - mean_effect * mean[..., None, :]) * away


@cache
def _weights(codes: tuple[str, ...]) -> np.ndarray:
    """The weights of a mean over the languages to learn from, (languages to predict, languages to learn from)."""
    families = np.array([_family(code) for code in codes])
    fitted = (families[:, None] != families) & (np.array(codes) != ENGLISH)
    return fitted / fitted.sum(axis=1, keepdims=True)


def _family(code: str) -> str:
    language = get_language(code)
    return code if language.texts is not None or code == ENGLISH else language.family


def _measured(table: StudyTable, rule: str, effects: EffectMap) -> np.ndarray | None:
    """A transferability score from the table by task and language; a score on English counts for all languages."""
    frame = table.frame
    frame = frame[(frame["metric"] == SELECTOR + rule) & (frame["target"] == effects.target)]
    if frame.empty:
        return None
    mean = frame.groupby(["arm", "language"])["score"].mean().unstack("language").reindex(effects.arms)
    if mean.isna().any(axis=None):
        raise StudyError(f"metric {SELECTOR}{rule} on {effects.target} is not there for every arm; measure all of them")
    columns = [code if code in mean.columns else ENGLISH for code in effects.codes]
    return mean[columns].to_numpy(float)


def compare_rules(contrast: Contrast, treatment: np.ndarray, control: np.ndarray) -> Effect:
    """Return the effect of one rule against another from their gains by encoder, (encoders,) each.

    The sets that the rules learn from overlap, so the gains are not independent: a plain t test rejects noise in .09 of
    tables at the level .05. The differences are therefore spread by `overlap_factor`, which gives .03.
    """
    differences = treatment - control
    spread = differences.mean() + (differences - differences.mean()) * overlap_factor(len(differences))
    if contrast.test == "equivalence":
        return compare_equivalence(spread, np.zeros_like(spread), contrast.sesoi, contrast.alpha)
    return compare_means(spread, contrast.direction, contrast.alpha)


def _need(arm: str, target: str) -> Contrast:
    return Contrast(name=arm, treatment=arm, control=CONTROL, target=target, test="difference", sesoi=1.0, sd=1.0)
