"""Predict with an encoder and a head, and score a target in all its languages."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np
import torch

from stilts_core.batching import Batch, Features, collate, within_budget
from stilts_core.compute import Compute
from stilts_core.encoder import Encoder
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.intervals import Estimate, average, estimates
from stilts_core.submission import write_predictions

TOKEN_BUDGET = 16384  # padded sub-words of a forward pass without gradients
MISTAKES = 10  # wrong predictions that a record shows


@torch.inference_mode()
def predict(encoder: Encoder, head: Head, features: Features, compute: Compute) -> np.ndarray:
    """The head's outputs for all features, in their order.

    (sequences, k) where outputs belong to sequences, (tokens, k) where they belong to sub-words.
    """
    size = len(features.starts) - 1 if head.rows else len(features.ids)
    outputs = None
    for batch in _batches(encoder, head, features, compute):
        with compute.autocast():
            hidden = encoder.hidden(batch.ids, batch.mask, batch.types, layer=head.layer)
            values = head(hidden, batch)
        values = (values if head.rows else values[batch.mask]).float().cpu().numpy()
        if outputs is None:
            outputs = np.empty((size, values.shape[-1]), np.float32)
        outputs[batch.sequences if head.rows else _tokens_of(features, batch.sequences)] = values
    return outputs if outputs is not None else np.zeros((0, 1), np.float32)


@torch.inference_mode()
def predict_every_layer(encoder: Encoder, head: Head, features: Features, compute: Compute) -> np.ndarray:
    """The outputs of a head over sequences from every hidden state: (layers + 1, sequences, hidden size)."""
    outputs = np.empty((encoder.layers + 1, len(features.starts) - 1, encoder.hidden_size), np.float32)
    for batch in _batches(encoder, head, features, compute):
        with compute.autocast():
            for layer, hidden in enumerate(encoder.hidden_states(batch.ids, batch.mask, batch.types)):
                outputs[layer, batch.sequences] = head(hidden, batch).float().cpu().numpy()
    return outputs


def _batches(encoder: Encoder, head: Head, features: Features, compute: Compute) -> Iterator[Batch]:
    """All features in batches of similar length, on the device, longest first."""
    encoder.model.to(compute.device).eval()
    head.to(compute.device).eval()
    for part in within_budget(features, np.arange(len(features)), TOKEN_BUDGET):
        yield collate(features, part, encoder.tokens.pad).to(compute.device)


def _tokens_of(features: Features, sequences: np.ndarray) -> np.ndarray:
    """Positions in `features.ids` of the sub-words of `sequences`, one after the other."""
    starts, lengths = features.starts[sequences], np.diff(features.starts)[sequences]
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


class Evaluation:
    """Scores a target language by language; what it gathers goes into the record."""

    def __init__(self, encoder: Encoder, head: Head, setting: Setting, compute: Compute, folder: Path, metric: str):
        self.encoder, self.head, self.setting, self.compute, self.folder = encoder, head, setting, compute, folder
        self.metric = metric
        self.scores: dict[str, dict] = {}
        self.layers: dict[str, list[float]] = {}
        self.flops = 0.0
        self._estimates: dict[str, Estimate] = {}
        self._mistakes: dict[str, list[dict]] = {}

    def score(self, language: str, test: list, features: Features, *, repaired=None, tuning=None) -> None:
        """Predict the test part of one language, write the predictions, and score them.

        `repaired` and `tuning` are (examples, features): XCOPA's questions put right, whose accuracy is reported
        beside, and the dev part that BUCC's threshold is tuned on.
        """
        setting, family = self.setting, self.setting.family
        if tuning:
            setting = replace(setting, threshold=family.threshold(self._predict(tuning[1]), tuning[0]))
        sweeps = setting.task.family == "retrieval" and not setting.task.trained_on
        layers = self._every_layer(features) if sweeps else None
        outputs = layers[self.head.layer] if sweeps else self._predict(features)
        predictions = family.decode(outputs, features, test, setting)
        path = write_predictions(self.folder / "predictions", setting.task.name, language, test, predictions)
        score = family.grade(test, predictions, setting, language)
        estimate = estimates(score)[self.metric]
        metrics = dict(score.metrics)
        if repaired:
            examples, columns = repaired
            again = family.decode(self._predict(columns), columns, examples, setting)
            metrics["repaired"] = family.grade(examples, again, setting, language).metrics[self.metric]
        self.scores[language] = estimate.to_dict() | {
            "metrics": metrics,
            "n": score.n,
            "predictions": str(path.relative_to(self.folder)),
            "cut": asdict(features.cut),
        }
        if sweeps:
            self.layers[language] = self._score_layers(layers, test, features, language)
        names = ("id", "text", "gold", "prediction")
        found = islice(family.mistakes(test, predictions), MISTAKES)
        self._mistakes[language] = [{"language": language} | dict(zip(names, values, strict=True)) for values in found]
        self._estimates[language] = estimate

    def _predict(self, features: Features) -> np.ndarray:
        self._count(features)
        return predict(self.encoder, self.head, features, self.compute)

    def _every_layer(self, features: Features) -> np.ndarray:
        self._count(features)
        return predict_every_layer(self.encoder, self.head, features, self.compute)

    def _count(self, features: Features) -> None:
        lengths = np.diff(features.starts).astype(float)
        self.flops += self.encoder.flops(lengths.sum(), (lengths**2).sum())

    def _score_layers(self, layers: np.ndarray, test: list, features: Features, language: str) -> list[float]:
        """The score from every hidden state; BUCC's, whose threshold belongs to one layer, without a threshold."""
        setting, family = replace(self.setting, threshold=None), self.setting.family
        decoded = (family.decode(outputs, features, test, setting) for outputs in layers)
        return [family.grade(test, found, setting, language).metrics[self.metric] for found in decoded]

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
