"""Retrieval from every hidden state of an encoder: raw, and with centred embeddings.

The embeddings of a language share an offset that hides how well languages are aligned. Subtracting a mean removes it
without any training. Two means are compared: that of the distinct texts of all languages (globally centred), and that
of each side of a test set, which has one language (language-centred). The means come from the texts of the test sets
themselves; no label is used. Embeddings have length 1 before a mean is subtracted, and again after it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch

from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.encoders.encoder import Encoder
from stilts_core.families import retrieval
from stilts_core.families.feature_cache import cached_features
from stilts_core.families.features import Features
from stilts_core.families.setting import TaskSetting
from stilts_core.runs.measure_cache import cached_measure
from stilts_core.runs.measures import StateScores
from stilts_core.runs.prediction import Predictor
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import RetrievalSet
from stilts_core.training.compute import Compute

STATE_BYTES = 2**30  # hidden states that are held at once
LARGEST_SET = 2**28  # inner products of a set above which only the state that is scored is centred: seconds a state
VERSION = "1"  # raise it when the same encoder and test sets would give other scores

Tests = Mapping[str, Sequence[RetrievalSet]]


def no_scores() -> StateScores:
    """Scores to which languages and hidden states are added."""
    return StateScores(raw={}, globally_centred={}, language_centred={})


@dataclass
class StateScorer:
    """Scores test sets from hidden states in three ways; `scores` has what was added so far.

    `scored` is the hidden state by which the target is scored, of `states` that the encoder has. `setting` has no
    threshold, because a threshold belongs to one hidden state.
    """

    setting: TaskSetting
    metric: str
    scored: int
    states: int
    scores: StateScores = field(default_factory=no_scores)

    def add(
        self,
        test: RetrievalSet,
        features: Features,
        language: str,
        state: int,
        outputs: np.ndarray,
        mean: np.ndarray,
    ) -> None:
        """Score the next hidden state of a language; `mean` is that of all texts of all languages."""
        outputs = np.ascontiguousarray(outputs)
        cheap = len(test.queries) * len(test.candidates) <= LARGEST_SET or state == self.scored
        sides = np.split(outputs, [len(test.queries)])
        own = np.concatenate([_subtract(side, side.mean(0, dtype=float)) for side in sides]) if cheap else None
        everyone = _subtract(outputs, mean) if cheap else None
        for scores, embeddings in (
            (self.scores.raw, outputs),
            (self.scores.globally_centred, everyone),
            (self.scores.language_centred, own),
        ):
            value = None if embeddings is None else self._score(test, features, language, embeddings)
            scores.setdefault(language, []).append(value)

    def add_scored_state(
        self, tests: Tests, features: Mapping[str, Features], outputs: Mapping[str, np.ndarray], blind: Set[str]
    ) -> None:
        """Score the `scored` state of all languages from its outputs (sequences, k); the other states have no score."""
        weights = _weights(tests)
        mean = sum((weights[language] @ one for language, one in outputs.items()), np.zeros(()))
        for language in (code for code in outputs if code not in blind):
            self._leave_out(language, self.scored)
            self.add(tests[language][0], features[language], language, self.scored, outputs[language], mean)
            self._leave_out(language, self.states - self.scored - 1)

    def _leave_out(self, language: str, states: int) -> None:
        for scores in (self.scores.raw, self.scores.globally_centred, self.scores.language_centred):
            scores.setdefault(language, []).extend([None] * states)

    def _score(self, test: RetrievalSet, features: Features, language: str, embeddings: np.ndarray) -> float:
        predictions = retrieval.decode(embeddings, features, [test], self.setting)
        return retrieval.score_predictions([test], predictions, self.setting, language).metrics[self.metric]


def _subtract(embeddings: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Embeddings (n, k) minus a mean (k,), at length 1; one that equals the mean stays zero."""
    centred = (embeddings - mean).astype(np.float32)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def stream_states(
    predictor: Predictor, features: Mapping[str, Features], tests: Tests
) -> Iterator[tuple[str, range, np.ndarray, np.ndarray]]:
    """Yield language, hidden states, outputs (sequences, states, k), and the mean of all distinct texts (states, k).

    As many hidden states at a time as STATE_BYTES allow, and all languages with each of them. Where one state of all
    languages is larger than that, it is computed twice: once for the mean, once for the scores.
    """
    encoder, sets = predictor.encoder, list(features.values())
    names = _names(features)
    sizes = [4 * encoder.hidden_size * len(columns) for columns in sets]
    weights = _weights(tests)
    is_held = sum(sizes) <= STATE_BYTES
    at_once = max(1, STATE_BYTES // max(1, sum(sizes) if is_held else max(sizes)))
    for start in range(0, encoder.layers + 1, at_once):
        states = range(encoder.layers + 1)[start : start + at_once]
        outputs: Iterator[np.ndarray] = predictor.stream(sets, states, names)
        held = list(outputs) if is_held else None
        parts = (
            np.tensordot(weights[language], one, 1)
            for language, one in zip(features, outputs if held is None else held, strict=True)
        )
        mean = sum(parts, np.zeros(()))
        again = predictor.stream(sets, states, names) if held is None else iter(held)
        for language, one in zip(features, again, strict=True):
            yield language, states, one, mean


def _names(languages: Iterable[str]) -> list[str]:
    """What an error calls the texts of each language."""
    return [f"texts in {language}" for language in languages]


def is_centred(task: Task, features: Iterable[Features], encoder: Encoder) -> bool:
    """Whether retrieval on a task is reported raw and centred, before and after the phases.

    So are targets that are scored without training, from every hidden state. A target that is trained, too, from the
    state that is scored, if each side of a set has one language and the states of all sets fit into memory.
    """
    if task.family != "retrieval" or not task.trained_on:
        return task.family == "retrieval"
    return task.parallel and 4 * encoder.hidden_size * sum(map(len, features)) <= STATE_BYTES


def _weights(tests: Tests) -> dict[str, np.ndarray]:
    """The weight of every text in the mean, (texts,) by language: a text that is in many sets counts once."""
    texts = {
        language: [passage.text for passage in (*test.queries, *test.candidates)]
        for language, (test, *_) in tests.items()
    }
    counts = Counter(chain.from_iterable(texts.values()))
    return {language: np.array([1 / (counts[text] * len(counts)) for text in own]) for language, own in texts.items()}


def pretrained_scores(
    encoder: Encoder, tests: Tests, blind: Set[str], setting: TaskSetting, metric: str, compute: Compute
) -> StateScores:
    """The scores of an encoder that no phase has trained, from the cache if they were computed before.

    They depend on encoder and test sets alone, so that the runs of a grid compute them once.
    """
    key = _key(encoder, tests, setting, metric, compute)

    def measure() -> StateScores:
        return _compute(encoder.reload(), tests, blind, setting, metric, compute)

    return cached_measure("retrieval", key, StateScores, measure)


def _compute(
    encoder: Encoder, tests: Tests, blind: Set[str], setting: TaskSetting, metric: str, compute: Compute
) -> StateScores:
    head = retrieval.new_head(encoder, setting)
    features = {code: cached_features(test, encoder.tokenizer, setting) for code, test in tests.items()}
    predictor = Predictor(encoder, head, compute)
    scorer = StateScorer(setting, metric, encoder.layers if head.layer is None else head.layer, encoder.layers + 1)
    if setting.task.trained_on:
        stream = predictor.stream(list(features.values()), names=_names(features))
        of_scored_state = dict(zip(features, stream, strict=True))
        scorer.add_scored_state(tests, features, of_scored_state, blind)
        return scorer.scores
    for language, states, outputs, mean in stream_states(predictor, features, tests):
        if language not in blind:
            for place, state in enumerate(states):
                scorer.add(tests[language][0], features[language], language, state, outputs[:, place], mean[place])
    return scorer.scores


def _key(encoder: Encoder, tests: Tests, setting: TaskSetting, metric: str, compute: Compute) -> str:
    facts = [VERSION, encoder.fingerprint, encoder.tokenizer.fingerprint, setting.task.name, setting.max_length, metric]
    facts += [compute.device, compute.precision, str(find_deviation()), torch.__version__, str(setting.layer)]
    digest = hashlib.sha256(repr(facts).encode())
    for language, (test, *_) in tests.items():
        gold = [(query, sorted(right)) for query, right in test.gold.items()]
        digest.update(repr((language, test.queries, test.candidates, gold)).encode())
    return digest.hexdigest()[:32]
