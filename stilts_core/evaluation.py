"""Predict with an encoder and a head, and score a target in all its languages."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain, groupby, islice, pairwise, zip_longest
from pathlib import Path

import numpy as np
import torch

from stilts_core import distributed
from stilts_core.batching import Features, collate, within_budget
from stilts_core.compute import HERE, Compute
from stilts_core.encoder import Encoder
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.feature_cache import features_of
from stilts_core.intervals import Estimate, average, estimates
from stilts_core.submission import write_predictions

# Sub-words of a forward pass without gradients: on a CPU as many as its caches hold the activations of.
TOKEN_BUDGETS = {"cpu": 2048, "cuda": 16384}
PASSES = 16  # forward passes, at least, that neighbouring sets share: what the last one leaves empty is little then
LAYER_BYTES = 2**30  # hidden states of one set that are held at once
MISTAKES = 10  # wrong predictions that a record shows


def predict(encoder: Encoder, head: Head, features: Features, compute: Compute) -> np.ndarray:
    """The head's outputs for all features, in their order.

    (sequences, k) where outputs belong to sequences, (tokens, k) where they belong to sub-words.
    """
    (outputs,) = Predictor(encoder, head, compute).stream([features])
    return outputs


def estimate(encoder: Encoder, head: Head, setting: Setting, examples: list, compute: Compute = HERE) -> Estimate:
    """The primary metric of a task on examples of one language, which are predicted, and nothing is kept."""
    features = features_of(examples, encoder.tokens, setting)
    predictions = setting.family.decode(predict(encoder, head, features, compute), features, examples, setting)
    return estimates(setting.family.grade(examples, predictions, setting, examples[0].language))[setting.task.metric]


class Predictor:
    """An encoder with a head; `flops` counts the floating-point operations of what it predicted."""

    def __init__(self, encoder: Encoder, head: Head, compute: Compute):
        self.encoder, self.head, self.compute = encoder, head, compute
        self.flops = 0.0

    @torch.inference_mode()
    def stream(self, sets: Sequence[Features], layers: Sequence[int] = ()) -> Iterator[np.ndarray]:
        """The outputs for each of several sets as `predict` gives them, one set after the other.

        With `layers`, the outputs from these hidden states (ascending; for heads over sequences): (sequences, layers,
        k). Neighbouring sets share forward passes, and equal sequences of any sets are predicted once; outputs are
        held until the last set that needs them.
        """
        self.encoder.model.to(self.compute.device).eval()
        self.head.to(self.compute.device).eval()
        budget = TOKEN_BUDGETS[self.compute.device]
        whole, places = _one_stream(sets)
        rows = np.ones_like(whole.lengths) if self.head.rows else whole.lengths  # of `outputs` that a sequence has
        first = np.full(len(whole), -1)  # of these rows; -1 before there are any
        last = np.zeros(len(whole), int)  # set that needs a sequence
        for number, place in enumerate(places):
            last[place] = number
        held, outputs = np.zeros(0, int), np.zeros((0, 1), np.float32)
        begins = np.cumsum([0, *(len(features.ids) for features in sets)])
        for _, group in groupby(range(len(sets)), key=lambda number: begins[number] // (PASSES * budget)):
            group = list(group)
            held = held[last[held] >= group[0]]
            outputs = outputs[_runs(first[held], rows[held])]
            wanted = np.unique(np.concatenate([places[number] for number in group]))
            if parts := within_budget(whole, wanted[first[wanted] < 0], budget):
                kept = [outputs] if len(held) else []
                shares = [parts[number :: distributed.world()] for number in range(distributed.world())]
                outputs = np.concatenate([*kept, self._compute(whole, shares, layers)])
                held = np.concatenate([held, *chain.from_iterable(shares)])
            first[held] = np.cumsum(rows[held]) - rows[held]
            for number in group:
                yield outputs[_runs(first[places[number]], rows[places[number]])]

    def _compute(self, features: Features, shares: list[list[np.ndarray]], layers: Sequence[int]) -> np.ndarray:
        """The outputs for the features of each part in turn, a part being a forward pass, a share that of a process."""
        values, own = [], shares[distributed.rank()]
        for part in own or shares[0][:1]:  # of which an idle process learns the outputs' shape
            batch = collate(features, part, self.encoder.tokens.pad).to(self.compute.device)
            with self.compute.autocast():
                if layers:
                    states = islice(self.encoder.hidden_states(**batch.inputs), layers[-1] + 1)
                    found = [self.head(state, batch) for layer, state in enumerate(states) if layer in layers]
                    values.append(torch.stack(found, 1).float())
                else:
                    read = self.head.reads(batch)
                    found = self.head(self.encoder.hidden(**batch.inputs, layer=self.head.layer, read=read), batch)
                    values.append((found if self.head.rows else found.flatten(0, 1)[batch.places]).float())
        chosen = [np.concatenate(share) if share else np.zeros(0, int) for share in shares]
        lengths = features.lengths[np.concatenate(chosen)].astype(float)
        last = layers[-1] if layers else self.encoder.layers if self.head.layer is None else self.head.layer
        self.flops += self.encoder.flops(lengths.sum(), (lengths**2).sum()) * last / self.encoder.layers
        rows = [len(part) if self.head.rows else features.lengths[part].sum() for part in chosen]
        outputs = torch.cat(values) if own else values[0][:0]
        return distributed.gathered(outputs, rows).cpu().numpy()


def _one_stream(sets: Sequence[Features]) -> tuple[Features, list[np.ndarray]]:
    """All sequences as features of their own, and for each set which of them it needs: of equal ones the first."""
    ids, types = (np.concatenate(columns) for columns in zip(*((s.ids, s.types) for s in sets), strict=True))
    counts = [len(features.starts) - 1 for features in sets]
    starts = np.cumsum([0, *chain.from_iterable(np.diff(features.starts) for features in sets)])
    count = len(starts) - 1
    seen: dict[bytes, int] = {}
    equal = (
        seen.setdefault(ids[start:stop].tobytes() + types[start:stop].tobytes(), number)
        for number, (start, stop) in enumerate(pairwise(starts.tolist()))
    )
    places = np.split(np.fromiter(equal, int, count), np.cumsum(counts)[:-1])
    return Features(ids, types, starts, np.arange(count + 1), np.arange(count)), places


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its length, one run after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


class Evaluation:
    """Scores a target language by language; what it gathers goes into the record."""

    def __init__(self, encoder: Encoder, head: Head, setting: Setting, compute: Compute, folder: Path, metric: str):
        self.predictor = Predictor(encoder, head, compute)
        self.setting, self.folder, self.metric = setting, folder, metric
        self.scores: dict[str, dict] = {}
        self.layers: dict[str, list[float]] = {}
        self._estimates: dict[str, Estimate] = {}
        self._mistakes: dict[str, list[dict]] = {}

    @property
    def flops(self) -> float:
        """The floating-point operations of all forward passes."""
        return self.predictor.flops

    def score(self, sets: dict[str, dict], features: dict[str, dict[str, Features]]) -> Iterator[str]:
        """Predict the test part of every language, write the predictions and score them; yields a language when done.

        `sets` and `features` hold by language the `tests`, and where there are such the `repaired` ones, XCOPA's with
        their questions put right, whose accuracy is reported beside, and the `tuning` ones: the dev parts that BUCC's
        threshold is tuned on.
        """
        tests, repaired = sets["tests"], sets["repaired"]
        thresholds = {
            language: self.setting.family.threshold(next(self.predictor.stream([columns])), sets["tuning"][language])
            for language, columns in features["tuning"].items()
        }
        settings = {language: replace(self.setting, threshold=thresholds.get(language)) for language in tests}
        if self.setting.task.family == "retrieval" and not self.setting.task.trained_on:
            yield from self._score_every_layer(tests, features["tests"], settings)
            return
        parts = [(part, code) for code in tests for part in ("tests", "repaired") if code in sets[part]]
        stream = self.predictor.stream([features[part][language] for part, language in parts])
        for language, test in tests.items():
            self._score(language, test, features["tests"][language], next(stream), settings[language])
            if language in repaired:
                columns, setting = features["repaired"][language], settings[language]
                again = setting.family.decode(next(stream), columns, repaired[language], setting)
                right = setting.family.grade(repaired[language], again, setting, language)
                self.scores[language]["metrics"]["repaired"] = right.metrics[self.metric]
            yield language

    def _score_every_layer(self, tests, features: dict[str, Features], settings: dict[str, Setting]) -> Iterator[str]:
        """Score the head's layer, and beside it every hidden state; of large sets some hidden states at a time.

        BUCC's threshold belongs to one layer: the others, and that one in the comparison, are scored without.
        """
        encoder, family = self.predictor.encoder, self.setting.family
        largest = max(len(columns) for columns in features.values())
        at_once = max(1, LAYER_BYTES // (4 * encoder.hidden_size * largest))
        for start in range(0, encoder.layers + 1, at_once):
            layers = range(encoder.layers + 1)[start : start + at_once]
            stream = self.predictor.stream(list(features.values()), layers)
            for (language, test), outputs in zip(tests.items(), stream, strict=True):
                for layer in layers:
                    hidden = np.ascontiguousarray(outputs[:, layer - start])
                    if layer == self.predictor.head.layer:
                        self._score(language, test, features[language], hidden, settings[language])
                    found = family.decode(hidden, features[language], test, self.setting)
                    score = family.grade(test, found, self.setting, language)
                    self.layers.setdefault(language, []).append(score.metrics[self.metric])
                if layers[-1] == encoder.layers:
                    yield language

    def _score(self, language: str, test: list, features: Features, outputs: np.ndarray, setting: Setting) -> None:
        family = setting.family
        predictions = family.decode(outputs, features, test, setting)
        path = write_predictions(self.folder / "predictions", setting.task.name, language, test, predictions)
        score = family.grade(test, predictions, setting, language)
        estimate = estimates(score)[self.metric]
        self.scores[language] = estimate.to_dict() | {
            "metrics": dict(score.metrics),
            "n": score.n,
            "predictions": str(path.relative_to(self.folder)),
            "cut": asdict(features.cut),
        }
        names = ("id", "text", "gold", "prediction")
        found = islice(family.mistakes(test, predictions), MISTAKES)
        self._mistakes[language] = [{"language": language} | dict(zip(names, values, strict=True)) for values in found]
        self._estimates[language] = estimate

    def averages(self) -> dict[str, dict | None]:
        """The mean over all languages, and over those that are not English."""
        everywhere = list(self._estimates.values())
        others = [estimate for language, estimate in self._estimates.items() if language != "en"]
        return {
            name: average(parts).to_dict() | {"languages": len(parts)} if parts else None
            for name, parts in {"all": everywhere, "non_english": others}.items()
        }

    def mistakes(self) -> list[dict]:
        """A few wrong predictions, from as many languages and (in parallel sets) of as many items as possible."""
        turned = (found[turn:] + found[:turn] for turn, found in enumerate(self._mistakes.values()))
        rounds = chain.from_iterable(zip_longest(*turned))
        return list(islice(filter(None, rounds), MISTAKES))
