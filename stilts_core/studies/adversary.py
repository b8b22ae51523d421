"""Q5: what domain-adversarial training does in the intermediate phase, beyond the same passes without a penalty."""

from dataclasses import dataclass

from stilts_core.errors import StudyError
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Protocol
from stilts_core.studies.results import StudyTable

PROBE = "language_probe"  # the metric of a fresh probe's accuracy in naming the language, 0 to 100
ZERO = "lambda-0"  # the control arm: the same passes with weight 0


@dataclass(frozen=True)
class Manipulation:
    """Whether an arm did what it is meant to do: the change of a fresh language probe's accuracy, in points.

    If the accuracy did not fall, the arm's effect on transfer is not an effect of invariance.
    """

    arm: str
    probe: Effect


@dataclass(frozen=True)
class WeightChoice:
    """The weight that English dev scores choose, with what it gains over the control, and the best in hindsight.

    `chosen` and `best` are arms. `best` needs labels of target languages, so it is an upper bound and not a result.
    """

    target: str
    chosen: str
    gain: Effect
    best: str
    best_gain: Effect


def check_manipulation(table: StudyTable, protocol: Protocol, arms: list[str], target: str) -> list[Manipulation]:
    """Return for every arm whether a fresh probe names the language less often than under the control.

    Raises StudyError if the probe was not recorded.
    """
    checks = []
    for arm in arms:
        contrast = protocol.primary.model_copy(
            update={
                "name": f"probe, {arm}", "treatment": arm, "control": ZERO, "target": target, "metric": PROBE,
                "control_metric": "", "group": "all", "levels": {},
            }
        )  # fmt: skip
        effect = compare_means(pair_runs(table, contrast).by_unit(), "less")
        checks.append(Manipulation(arm, effect))
    return checks


def choose_weight(table: StudyTable, protocol: Protocol, arms: list[str], target: str, group: str) -> WeightChoice:
    """Return the arm with the best English dev score of the target, as a user would choose, and its gain.

    A target without a dev part is chosen by the dev score of the intermediate task. Raises StudyError without scores.
    """
    frame = table.frame
    rows = frame[frame["arm"].isin(arms) & (frame["target"] == target) & (frame["excluded"] == "")]
    for phase in ("target", "intermediate"):
        scores = rows[rows["metric"].str.startswith(f"dev:{phase}:")].groupby("arm")["score"].mean()
        if not scores.empty:
            break
    if set(scores.index) != set(arms):
        missing = sorted(set(arms) - set(scores.index))
        raise StudyError(f"no English dev score on {target} of {', '.join(missing)}; run these arms")
    gains = {}
    for arm in arms:
        contrast = protocol.primary.model_copy(
            update={
                "name": arm, "treatment": arm, "control": ZERO, "target": target, "group": group, "metric": "score",
                "control_metric": "", "levels": {},
            }
        )  # fmt: skip
        gains[arm] = compare_means(pair_runs(table, contrast).by_unit())
    chosen, best = str(scores.idxmax()), max(arms, key=lambda arm: gains[arm].value)
    return WeightChoice(target, chosen, gains[chosen], best, gains[best])
