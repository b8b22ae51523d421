"""What can stand beside a task to remove, or to test for, language in the hidden states: an adversary and its kin.

Like `mlm`, this module is no `Family`: it trains on unlabelled texts, whose target is their language, and nothing is
decoded or scored. Every head here lets the gradient into the encoder through with the weight that the training loop
gives it; with weight 0 the same passes are computed, and the encoder is trained on its task alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear, log_softmax

from stilts_core.families.batches import Batch
from stilts_core.families.features import Features
from stilts_core.families.head import Head, initialise, mean_pool, scale_gradient
from stilts_core.tasks.examples import TextExample

MEMORY = 0.9  # of a running mean of a language: an average over about the last ten steps that had the language
RANDOM_STREAM = 0x1ABE  # keeps the random numbers of random labels apart from those of other choices


def add_languages(features: Features, texts: Sequence[TextExample], languages: Sequence[str]) -> Features:
    """The features of `texts` with the target `language`: the position of the text's language in `languages`."""
    return replace(features, targets={"language": language_numbers(texts, languages)[features.example]})


def draw_labels(features: Features, seed: int) -> Features:
    """The features with the target `language` permuted among the texts: as many texts of each label, and no meaning."""
    texts, first = np.unique(features.example, return_index=True)
    labels = np.random.default_rng([seed, RANDOM_STREAM]).permutation(features.targets["language"][first])
    return replace(features, targets={"language": labels[np.searchsorted(texts, features.example)]})


def language_numbers(texts: Sequence[TextExample], languages: Sequence[str]) -> np.ndarray:
    """(texts,) the position of each text's language in `languages`."""
    numbers = {code: number for number, code in enumerate(languages)}
    return np.array([numbers[text.language] for text in texts], dtype=np.int64)


class _Reverse(torch.autograd.Function):
    """Gradient reversal (Ganin et al. 2016, section 4.2): the identity; its gradient is -weight times the output's."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * -ctx.weight, None


def reverse_gradient(hidden: Tensor, weight: float) -> Tensor:
    """The same tensor; the gradient that flows back is multiplied by -weight."""
    return _Reverse.apply(hidden, weight)


class Discriminator(Head):
    """A classifier of languages that the encoder is trained against, by gradient reversal.

    It reads the mean state of a text (`level` pooled) or the state of each sub-word (token), of hidden state `layer`
    (None: the last). Its own gradient is that of its loss, whatever the weight: it always learns as fast as it can.
    The random-label control is the same head on features from `draw_labels`.
    """

    apart = True

    def __init__(self, hidden_size: int, languages: int, level: str = "pooled", layer: int | None = None) -> None:
        super().__init__()
        self.per_sequence, self.layer = level == "pooled", layer
        self.dense = initialise(nn.Linear(hidden_size, hidden_size))
        self.classifier = initialise(nn.Linear(hidden_size, languages))

    def count_terms(self, batch: Batch) -> int:
        return len(batch.sequences) if self.per_sequence else len(batch.flat_positions)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Logits over the languages, (sequences, languages) or (sub-words, languages)."""
        return self._classify(self.read(hidden, batch))

    def loss(self, hidden: Tensor, batch: Batch) -> Tensor:
        return self._measure(self(hidden, batch), batch)

    def weighted_loss(self, hidden: Tensor, batch: Batch, weight: float) -> Tensor:
        return self._measure(self._classify(reverse_gradient(self.read(hidden, batch), weight)), batch)

    def read(self, hidden: Tensor, batch: Batch) -> Tensor:
        """The states that are classified."""
        if not self.per_sequence:
            return hidden.flatten(0, 1).index_select(0, batch.flat_positions)
        weights = batch.mask.float()  # one product forward and one backward take a third of `mean_pool`'s operations
        return torch.bmm((weights / weights.sum(1, keepdim=True))[:, None], hidden.float()).squeeze(1)

    def _classify(self, states: Tensor) -> Tensor:
        return self.classifier(gelu(self.dense(states)))

    def _labels(self, batch: Batch) -> Tensor:
        """The language of each classified state."""
        labels = batch.targets["language"]
        if self.per_sequence:
            return labels
        return labels[torch.div(batch.flat_positions, batch.mask.shape[1], rounding_mode="floor")]

    def _measure(self, logits: Tensor, batch: Batch) -> Tensor:
        """The summed cross-entropy; the number of right answers is remembered in `right`."""
        labels = self._labels(batch)
        self.right = (logits.detach().argmax(-1) == labels).sum()
        return cross_entropy(logits.float(), labels, reduction="sum")


class ConfusionHead(Discriminator):
    """Domain confusion (Tzeng et al. 2015): the encoder makes the discriminator answer with the uniform distribution.

    The discriminator learns from detached states. The encoder gets the cross-entropy between the uniform distribution
    and the discriminator's answer, through a discriminator that this gradient does not change.
    """

    def weighted_loss(self, hidden: Tensor, batch: Batch, weight: float) -> Tensor:
        states = self.read(hidden, batch)
        loss = self._measure(self._classify(states.detach()), batch)
        confusion = self.confusion(states)
        return loss + scale_gradient(confusion - confusion.detach(), weight)

    def confusion(self, states: Tensor) -> Tensor:
        """The summed cross-entropy to the uniform distribution; its gradient flows into the states alone."""
        states = gelu(linear(states, self.dense.weight.detach(), self.dense.bias.detach()))
        logits = linear(states, self.classifier.weight.detach(), self.classifier.bias.detach())
        return -log_softmax(logits.float(), -1).mean(-1).sum()


class MatchingHead(Head):
    """What matches the means of the languages' texts; it has no weights of its own.

    An output is the mean state of a text and what it counts in the mean of its language: 1 (`level` pooled) or its
    number of sub-words (token). Languages are matched over a whole step, so the outputs of its micro-batches are
    collected first (`contrastive`).
    """

    contrastive = True

    def __init__(self, hidden_size: int, languages: int, level: str = "pooled", layer: int | None = None) -> None:
        super().__init__()
        self.hidden_size, self.languages, self.level, self.layer = hidden_size, languages, level, layer

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """(texts, hidden size + 1): the mean state of each text, and its weight."""
        weights = batch.mask.sum(1, keepdim=True).float()
        if self.level == "pooled":
            weights = torch.ones_like(weights)
        return torch.cat([mean_pool(hidden, batch.mask), weights], 1)

    def contrastive_loss(self, outputs: Tensor, targets: dict[str, Tensor]) -> Tensor:
        numbers = torch.arange(self.languages, device=outputs.device)
        belongs = (targets["language"][:, None] == numbers).float() * outputs[:, -1:].detach()
        sums, counts = belongs.T @ outputs[:, :-1], belongs.sum(0)
        return self.distance(sums, counts) * len(outputs)

    def distance(self, sums: Tensor, counts: Tensor) -> Tensor:
        """The distance of the languages, from the (languages, hidden size) sums and (languages,) counts of a step."""
        raise NotImplementedError


class MMDHead(MatchingHead):
    """Linear maximum mean discrepancy (Gretton et al. 2012) within a step: the squared distance of two batch means.

    Each language is compared with English, which is language `reference`. Where English is not shown (None), or a step
    has none, it is compared with all other texts of the step. The loss is the mean over the languages of the step.
    """

    def __init__(self, *settings: Any, reference: int | None = None, **more: Any) -> None:
        super().__init__(*settings, **more)
        self.reference = reference

    def distance(self, sums: Tensor, counts: Tensor) -> Tensor:
        means, rest = sums / counts.clamp(min=1)[:, None], counts.sum() - counts
        others = (sums.sum(0) - sums) / rest.clamp(min=1)[:, None]
        compared = (counts > 0) & (rest > 0)
        if self.reference is not None:
            has_english = counts[self.reference] > 0
            others = torch.where(has_english, means[self.reference], others)
            is_english = torch.arange(len(counts), device=counts.device) == self.reference
            compared = compared & ~(is_english & has_english)
        squares = ((means - others) ** 2).sum(1)
        return (squares * compared).sum() / compared.sum().clamp(min=1)


class MeansHead(MatchingHead):
    """The squared distance of the languages' running means to their centre, averaged over the languages.

    A step changes the running means of its languages by a share of 1 - MEMORY, and its gradient is that of its own
    means at the running ones: a step of few texts then pulls in the direction that many texts agree on. The running
    means are buffers, and therefore part of a checkpoint.
    """

    running: Tensor
    seen: Tensor

    def __init__(self, *settings: Any, **more: Any) -> None:
        super().__init__(*settings, **more)
        self.register_buffer("running", torch.zeros(self.languages, self.hidden_size))
        self.register_buffer("seen", torch.zeros(self.languages))

    def distance(self, sums: Tensor, counts: Tensor) -> Tensor:
        means = sums / counts.clamp(min=1)[:, None]
        present = (counts > 0).float()
        share = torch.where(self.seen > 0, 1 - MEMORY, 1.0) * present
        with torch.no_grad():
            self.running += share[:, None] * (means - self.running)
            self.seen.copy_(torch.maximum(self.seen, present))
            centre = (self.running * self.seen[:, None]).sum(0) / self.seen.sum().clamp(min=1)
        current = self.running + present[:, None] * (means - means.detach())
        squares = ((current - centre) ** 2).sum(1)
        return (squares * self.seen).sum() / self.seen.sum().clamp(min=1)
