"""Masked language modelling on unlabelled text, as a co-training task."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu, linear

from stilts_core.batching import IGNORE, Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import TextExample
from stilts_core.families.head import Head, initialise
from stilts_core.tokens import Tokens

MASKED = 0.15  # share of sub-words to predict; of these 80 % are masked, 10 % replaced, 10 % kept (BERT)


def features(examples: list[TextExample], tokens: Tokens, max_length: int) -> Features:
    """One sequence a text; one that is too long is split, so that nothing is lost."""
    room = max_length - tokens.single_overhead
    cut = Cut(inputs=len(examples))
    sequences, owner = [], []
    for index, pieces in enumerate(tokens.unique_pieces([example.text for example in examples])):
        parts = [pieces[start : start + room] for start in range(0, len(pieces), room)]
        cut.split += len(parts) > 1
        sequences += [tokens.build(part) for part in parts]
        owner += [index] * len(parts)
    return columns(sequences, example=owner, cut=cut)


class MLMHead(Head):
    """RoBERTa's masked-LM head: dense, GELU, LayerNorm, then the transposed word embeddings and a bias.

    It starts from the checkpoint's own head where that has one. With a trimmed vocabulary the softmax runs over the
    kept rows: they are the candidates for a masked place. `masked` is the share of sub-words to predict.
    """

    rows = False

    def __init__(self, encoder: Encoder, masked: float = MASKED):
        super().__init__()
        self.masked = masked
        self.encoder = [encoder]  # in a list, so that the encoder's weights are not counted as the head's
        self.dense = initialise(nn.Linear(encoder.hidden_size, encoder.hidden_size))
        self.norm = nn.LayerNorm(encoder.hidden_size, eps=encoder.model.config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(encoder.rows))
        if state := encoder.mlm_head_state():
            self.load_state_dict(state | {"bias": state["bias"][encoder.kept_ids]})

    def prepare(self, batch: Batch, seed: tuple[int, ...]) -> Batch:
        """The batch with some of its sub-words masked, and the target `token` where one is to be predicted.

        A sequence is masked in the same way in whatever batch it stands. The target `place` holds the positions of
        these sub-words in the flattened batch, which a GPU would have to be asked for.
        """
        encoder = self.encoder[0]
        drawn = [
            np.random.default_rng([*seed, sequence]).random((3, length))
            for sequence, length in zip(batch.sequences, batch.mask.sum(1), strict=True)
        ]
        share, fate, candidate = torch.zeros(3, *batch.ids.shape, dtype=torch.float64)
        share[batch.mask], fate[batch.mask], candidate[batch.mask] = torch.from_numpy(np.concatenate(drawn, axis=1))
        special = torch.isin(batch.ids, torch.tensor(encoder.tokens.specials))
        chosen = (share < self.masked) & batch.mask & ~special
        kept = torch.from_numpy(encoder.kept_ids).long()
        random = kept[(candidate * len(kept)).long()]
        ids = torch.where(chosen & (fate < 0.8), encoder.tokens.mask, batch.ids)
        ids = torch.where(chosen & (fate >= 0.9), random, ids)
        targets = {"place": chosen.flatten().nonzero().squeeze(1)}
        return replace(batch, ids=ids, token_targets={"token": batch.ids.masked_fill(~chosen, IGNORE)}, targets=targets)

    def reads(self, batch: Batch) -> torch.Tensor:
        return batch.targets["place"]

    def count(self, batch: Batch) -> int:
        return int((batch.token_targets["token"] != IGNORE).sum())

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        encoder = self.encoder[0]
        return linear(self.norm(gelu(self.dense(hidden))), encoder.word_embeddings, self.bias)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        places = batch.targets["place"]
        tokens = batch.token_targets["token"].flatten()[places]
        logits = self(hidden.flatten(0, 1)[places], batch)
        return cross_entropy(logits.float(), self.encoder[0].rows_of(tokens), reduction="sum")
