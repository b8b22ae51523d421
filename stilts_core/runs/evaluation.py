"""Score a target in all its languages."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.feature_cache import cached_features
from stilts_core.families.features import Features
from stilts_core.families.head import Head
from stilts_core.families.retrieval import tune_threshold
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.runs.data import TargetData
from stilts_core.runs.hidden_states import StateScorer, is_centred, no_scores, stream_states
from stilts_core.runs.items import pack_items
from stilts_core.runs.prediction import Predictor, predict
from stilts_core.runs.record import Averages, LanguageScore, MeanScore, MistakeRecord, Unscored
from stilts_core.scoring.bootstrap import Estimate, Score, average, bootstrap_metrics
from stilts_core.scoring.rankings import score_queries
from stilts_core.submissions.files import write_predictions
from stilts_core.training.compute import CPU_FP32, Compute

MISTAKES = 10  # wrong predictions that a record shows


def estimate(
    encoder: Encoder, head: Head, setting: TaskSetting, examples: list, compute: Compute = CPU_FP32
) -> Estimate:
    """The primary metric of a task on the examples of one language; nothing is written."""
    features = cached_features(examples, encoder.tokenizer, setting)
    family = get_family(setting.task)
    outputs = predict(encoder, head, features, compute, f"{setting.task.name} in {examples[0].language}")
    predictions = family.decode(outputs, features, examples, setting)
    score = family.score_predictions(examples, predictions, setting, examples[0].language)
    return bootstrap_metrics(score)[setting.task.metric]


class Evaluation:
    """Scores a target language by language and collects what the record stores."""

    def __init__(
        self, encoder: Encoder, head: Head, setting: TaskSetting, compute: Compute, folder: Path, metric: str
    ) -> None:
        self.predictor = Predictor(encoder, head, compute)
        self.setting, self.folder, self.metric = setting, folder, metric
        self.family = get_family(setting.task)
        self.scores: dict[str, LanguageScore] = {}
        self.unscored: dict[str, Unscored] = {}
        self.states = no_scores()  # of targets of retrieval
        self.blind: frozenset[str] = frozenset()  # languages whose test part has no labels
        self._estimates: dict[str, Estimate] = {}
        self._mistakes: dict[str, list[MistakeRecord]] = {}

    @property
    def layers(self) -> dict[str, list[float]]:
        """The score from every hidden state, by language, for a target that is scored without training."""
        if self.setting.task.trained_on:
            return {}
        raw = self.states.raw.items()
        return {language: [score for score in scores if score is not None] for language, scores in raw}

    @property
    def scored_state(self) -> int:
        """The hidden state that the head reads."""
        layer = self.predictor.head.layer
        return self.predictor.encoder.layers if layer is None else layer

    @property
    def flops(self) -> float:
        """The floating-point operations of all forward passes."""
        return self.predictor.flops

    def score(self, data: TargetData, features: dict[str, dict[str, Features]]) -> Iterator[str]:
        """Predict and score the test set of every language and write its predictions; yields each finished language.

        `features` holds, by language, those of the `tests`, of the `repaired` sets (XCOPA's, whose accuracy is
        reported beside), and of the `tuning` sets that set the threshold of mined pairs.
        """
        self.blind = frozenset(data.unscored)
        thresholds = {
            language: tune_threshold(outputs, data.tuning[language])
            for language, outputs in self._predict_tuning_sets(features["tuning"])
        }
        settings = {language: replace(self.setting, threshold=thresholds.get(language)) for language in data.tests}
        if self.setting.task.family == "retrieval" and not self.setting.task.trained_on:
            yield from self._score_every_layer(data.tests, features["tests"], settings)
            return
        order = [(name, code) for code in data.tests for name in ("tests", "repaired") if code in features[name]]
        names = [f"{self.setting.task.name} in {code}" for _, code in order]
        stream = self.predictor.stream([features[name][code] for name, code in order], names=names)
        is_compared = is_centred(self.setting.task, features["tests"].values(), self.predictor.encoder)
        held: dict[str, np.ndarray] = {}
        for language, test in data.tests.items():
            outputs = next(stream)
            self._score(language, test, features["tests"][language], outputs, settings[language])
            if is_compared:
                held[language] = outputs
            if repaired := data.repaired.get(language):
                columns, setting = features["repaired"][language], settings[language]
                predictions = self.family.decode(next(stream), columns, repaired, setting)
                score = self.family.score_predictions(repaired, predictions, setting, language)
                self.scores[language].metrics["repaired"] = score.metrics[self.metric]
            yield language
        if held:
            states = self.predictor.encoder.layers + 1
            scorer = StateScorer(self.setting, self.metric, self.scored_state, states, self.states)
            scorer.add_scored_state(data.tests, features["tests"], held, self.blind)

    def _predict_tuning_sets(self, features: dict[str, Features]) -> Iterator[tuple[str, np.ndarray]]:
        """The outputs for each set that tunes a threshold, by language; one set is in memory at a time."""
        for language, columns in features.items():
            name = f"the dev part of {self.setting.task.name} in {language}"
            yield language, next(self.predictor.stream([columns], names=[name]))

    def _score_every_layer(
        self, tests: dict[str, list], features: dict[str, Features], settings: dict[str, TaskSetting]
    ) -> Iterator[str]:
        """Score the head's hidden state, and beside it every other, raw and centred.

        BUCC's threshold belongs to one hidden state. The comparison of all hidden states is therefore made without it.
        """
        layers, scored = self.predictor.encoder.layers, self.scored_state
        scorer = StateScorer(self.setting, self.metric, scored, layers + 1, self.states)
        for language, states, outputs, mean in stream_states(self.predictor, features, tests):
            (test,), columns = tests[language], features[language]
            for place, state in enumerate(states):
                if state == scored:
                    hidden = np.ascontiguousarray(outputs[:, place])
                    self._score(language, [test], columns, hidden, settings[language])
                if language not in self.blind:
                    scorer.add(test, columns, language, state, outputs[:, place], mean[place])
            if states[-1] == layers:
                yield language

    def _score(self, language: str, test: list, features: Features, outputs: np.ndarray, setting: TaskSetting) -> None:
        """Write the predictions of one language, and score them where its test part has labels."""
        family = self.family
        predictions = family.decode(outputs, features, test, setting)
        path = write_predictions(self.folder / "predictions", setting.task.name, language, test, predictions)
        written = str(path.relative_to(self.folder))
        if language in self.blind:
            n = len(test[0].queries) if setting.task.family == "retrieval" else len(test)
            self.unscored[language] = Unscored(n=n, predictions=written, cut=features.truncation)
            return
        score = family.score_predictions(test, predictions, setting, language)
        estimate = bootstrap_metrics(score)[self.metric]
        self._estimates[language] = estimate
        self.scores[language] = LanguageScore(
            **estimate.to_dict(),
            metrics=dict(score.metrics),
            n=score.n,
            predictions=written,
            cut=features.truncation,
            items=pack_items(self._item_scores(test, predictions, score)),
        )
        self._mistakes[language] = [
            MistakeRecord(
                language=language, id=wrong.id, text=wrong.texts, gold=wrong.answer, prediction=wrong.prediction
            )
            for wrong in islice(family.mistakes(test, predictions), MISTAKES)
        ]

    def _item_scores(self, test: list, predictions: list, score: Score) -> np.ndarray:
        if self.setting.task.family != "retrieval":
            return score.by_item(self.metric)
        (whole,), (rankings,) = test, predictions
        return score_queries([query.id for query in whole.queries], whole.gold, rankings, self.metric)

    def averages(self) -> Averages:
        """The mean over all languages, and over those that are not English."""
        others = [estimate for language, estimate in self._estimates.items() if language != "en"]
        return Averages(all=_mean(list(self._estimates.values())), non_english=_mean(others))

    def mistakes(self) -> list[MistakeRecord]:
        """A few wrong predictions, from as many languages and (in parallel sets) of as many items as possible."""
        rotated = (wrong[turn:] + wrong[:turn] for turn, wrong in enumerate(self._mistakes.values()))
        rounds = chain.from_iterable(zip_longest(*rotated))
        return list(islice(filter(None, rounds), MISTAKES))


def _mean(estimates: list[Estimate]) -> MeanScore | None:
    return MeanScore(**average(estimates).to_dict(), languages=len(estimates)) if estimates else None
