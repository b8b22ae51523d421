"""Runs of a kept table of a study, in the form in which the tables of a grid read the records of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.runs.measures import Retrieval, StateScores, scored_state
from stilts_core.runs.record import Averages, Interval, MeanScore
from stilts_core.studies.design import expand
from stilts_core.studies.groups import ENGLISH
from stilts_core.studies.measures import BEFORE
from stilts_core.studies.protocol import Protocol
from stilts_core.studies.results import StudyTable
from stilts_core.tasks.catalogue import get_task, trains_on_same_data

if TYPE_CHECKING:  # pandas takes a second to import
    import pandas as pd

_LAYER = "layer:"


class KeptScore(Interval):
    """The score of one language with its interval over `n` test items, and the task's other metrics."""

    n: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class KeptRun:
    """A run of a kept table (see `GridRun`). Its `retrieval` has one state, that by which the target is scored."""

    run_id: str
    config: ResolvedConfig
    finished: str
    notes: list[str]
    scores: Mapping[str, KeptScore]
    target_dev: float | None
    layers: Mapping[str, list[float]]
    retrieval: Retrieval | None

    @property
    def profile(self) -> str:
        """The profile of the run."""
        return self.config.profile

    @property
    def row(self) -> str:
        """The row of the grid that the run belongs to."""
        return self.config.row

    @property
    def target(self) -> str:
        """The target task."""
        return self.config.target

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def encoder_fingerprint(self) -> str:
        """Nothing: all runs of a block of a kept table have the same encoder."""
        return ""

    @property
    def encoder_name(self) -> str:
        """The encoder, as the protocol names it."""
        return str(self.config.encoder)

    @property
    def metric(self) -> str:
        """The primary metric of the target."""
        return get_task(self.target).metric

    @property
    def same_data(self) -> bool:
        """Whether an intermediate task's training set holds the target's."""
        return trains_on_same_data(self.target, self.config.intermediate_tasks)

    @property
    def averages(self) -> Averages:
        """The means over languages, whose errors are taken as independent."""
        others = [score for code, score in self.scores.items() if code != ENGLISH]
        return Averages(all=_mean(list(self.scores.values())), non_english=_mean(others))


def read_kept_runs(protocol: Protocol, table: StudyTable) -> list[KeptRun]:
    """Return the runs of a table that no rule excludes, each once, in the order of the protocol's cells."""
    frame = table.frame[table.frame["excluded"] == ""]
    by_cell = dict(list(frame.groupby(["arm", "target", "encoder", "seed", *_factor_columns(frame)], sort=False)))
    blocks = table.provenance["blocks"]
    runs: dict[str, KeptRun] = {}
    for cell in expand(protocol).cells:
        rows = by_cell.get((cell.arm, cell.target, cell.encoder, cell.seed, *cell.levels.values()))
        if rows is None or (run_id := rows["run"].iloc[0]) in runs:
            continue
        finished = str(blocks[protocol.block_of(cell.encoder, cell.seed)]["last_finished"])
        config = RunConfig.from_dict(dict(cell.config)).resolved()
        runs[run_id] = _make_run(run_id, config, finished, list(table.provenance.get("notes", ())), rows)
    return list(runs.values())


def _factor_columns(frame: "pd.DataFrame") -> list[str]:
    return [name for name in frame.columns if name.startswith("factor:")]


def _make_run(run_id: str, config: ResolvedConfig, finished: str, notes: list[str], rows: "pd.DataFrame") -> KeptRun:
    measured: dict[str, dict[str, float]] = {}
    for metric, language, score in zip(rows["metric"], rows["language"], rows["score"], strict=True):
        measured.setdefault(metric, {})[language] = score
    scored = rows[rows["metric"] == "score"]
    columns = (scored[name].tolist() for name in ("language", "score", "low", "high", "n"))
    scores = {
        language: KeptScore(score=score, low=low, high=high, n=n, metrics=_metrics_in(measured, language))
        for language, score, low, high, n in zip(*columns, strict=True)
    }
    dev = {phase: measured.get(f"dev:{phase}:{config.target}", {}).get(ENGLISH) for phase in ("target", "joint")}
    return KeptRun(
        run_id=run_id,
        config=config,
        finished=finished,
        notes=notes,
        scores=scores,
        target_dev=next((score for score in dev.values() if score is not None), None),
        layers=_read_layers(measured),
        retrieval=_read_retrieval(measured, config.layer),
    )


def _metrics_in(measured: Mapping[str, Mapping[str, float]], language: str) -> dict[str, float]:
    """The task's metrics in one language; what else was measured has a colon in its name."""
    return {
        metric: scores[language]
        for metric, scores in measured.items()
        if metric != "score" and ":" not in metric and language in scores
    }


def _read_layers(measured: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """The scores from every hidden state by language, in the order of the states."""
    numbers = sorted(int(metric.removeprefix(_LAYER)) for metric in measured if metric.startswith(_LAYER))
    if not numbers:
        return {}
    return {code: [measured[f"{_LAYER}{number}"][code] for number in numbers] for code in measured[f"{_LAYER}0"]}


def _read_retrieval(measured: Mapping[str, Mapping[str, float]], layer: int | None) -> Retrieval | None:
    """The scores at the scored hidden state. BUCC's own score has a threshold, with which no other is compared."""
    if "centred" not in measured:
        return None
    before = _states(measured, "raw" + BEFORE, "globally_centred" + BEFORE, "centred" + BEFORE)
    states = sum(metric.startswith(_LAYER) for metric in measured)  # none in a trained target, which reads the last
    raw = f"{_LAYER}{scored_state(layer, states - 1)}" if states else "score"
    return Retrieval(state=0, before=before, after=_states(measured, raw, "globally_centred", "centred"))


def _states(measured: Mapping[str, Mapping[str, float]], *metrics: str) -> StateScores:
    raw, globally, centred = (_one_state(measured.get(metric, {})) for metric in metrics)
    return StateScores(raw=raw, globally_centred=globally, language_centred=centred)


def _one_state(scores: Mapping[str, float]) -> dict[str, list[float | None]]:
    return {code: [score] for code, score in scores.items()}


def _mean(scores: Sequence[KeptScore]) -> MeanScore | None:
    if not scores:
        return None
    count = len(scores)
    mean = sum(score.score for score in scores) / count
    half = sqrt(sum(((score.high - score.low) / 2) ** 2 for score in scores)) / count
    return MeanScore(score=mean, low=mean - half, high=mean + half, languages=count)
