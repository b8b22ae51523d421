"""Masked language modelling (MLM) on unlabelled text, as a co-training task.

This module is no `Family`: texts have no labels, so nothing is decoded or scored, and `make_features` needs no task.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu, linear

from stilts_core.encoders.encoder import Encoder
from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families.batches import Batch
from stilts_core.families.features import IGNORE, Features, Truncation, build_features
from stilts_core.families.head import Head, initialise
from stilts_core.tasks.examples import TextExample

MASKED = 0.15  # share of sub-words to predict: 80 % of them are masked, 10 % replaced, 10 % unchanged (BERT)


def make_features(examples: Sequence[TextExample], tokenizer: EncoderTokenizer, max_length: int) -> Features:
    """One sequence a text. A long text is split into several sequences, so that no sub-word is lost."""
    room = max_length - tokenizer.single_overhead
    truncation = Truncation(inputs=len(examples))
    sequences, owners = [], []
    for index, pieces in enumerate(tokenizer.unique_pieces([example.text for example in examples])):
        segments = [pieces[start : start + room] for start in range(0, len(pieces), room)]
        truncation.split += len(segments) > 1
        sequences += [tokenizer.build(segment) for segment in segments]
        owners += [index] * len(segments)
    return build_features(sequences, example=owners, truncation=truncation)


class MLMHead(Head):
    """RoBERTa's masked-LM head: dense, GELU, LayerNorm, then the transposed word embeddings and a bias.

    Its weights are the checkpoint's own MLM head, if the checkpoint has one (in XLM without dense and LayerNorm). With
    a trimmed vocabulary the softmax runs over the remaining rows only. `masked` is the share of sub-words to predict.
    """

    per_sequence = False

    def __init__(self, encoder: Encoder, masked: float = MASKED):
        super().__init__()
        self.masked = masked
        self.encoder = [encoder]  # in a list, so that PyTorch does not count the encoder's weights as the head's
        state = encoder.read_mlm_head()
        width = encoder.word_embeddings.shape[1]
        self.dense = self.norm = None
        if state is None or "dense.weight" in state:
            self.dense = initialise(nn.Linear(encoder.hidden_size, width))
            self.norm = nn.LayerNorm(width, eps=encoder.norm_eps)
        self.bias = nn.Parameter(torch.zeros(encoder.embedding_count))
        if state:
            self.load_state_dict(state | {"bias": state["bias"][encoder.active_ids]})

    def prepare(self, batch: Batch, seed: tuple[int, ...]) -> Batch:
        """The batch with some sub-words masked; the token target `token` is the id of each sub-word to predict.

        The mask of a sequence depends on the seed and the sequence only, not on the batch. The target `position` lists
        the flat positions to predict: computed here on the host, because asking a GPU for them would wait for it.
        """
        encoder = self.encoder[0]
        draws = [
            np.random.default_rng([*seed, sequence]).random((3, length))
            for sequence, length in zip(batch.sequences, batch.mask.sum(1), strict=True)
        ]
        share, fate, candidate = torch.zeros(3, *batch.ids.shape, dtype=torch.float64)
        share[batch.mask], fate[batch.mask], candidate[batch.mask] = torch.from_numpy(np.concatenate(draws, axis=1))
        special = torch.isin(batch.ids, torch.tensor(encoder.tokenizer.specials))
        chosen = (share < self.masked) & batch.mask & ~special
        vocabulary = torch.from_numpy(encoder.active_ids).long()
        random_ids = vocabulary[(candidate * len(vocabulary)).long()]
        ids = torch.where(chosen & (fate < 0.8), encoder.tokenizer.mask, batch.ids)
        ids = torch.where(chosen & (fate >= 0.9), random_ids, ids)
        return replace(
            batch,
            ids=ids,
            token_targets={"token": batch.ids.masked_fill(~chosen, IGNORE)},
            targets={"position": chosen.flatten().nonzero().squeeze(1)},
        )

    def used_positions(self, batch: Batch) -> torch.Tensor:
        return batch.targets["position"]

    def count_terms(self, batch: Batch) -> int:
        return int((batch.token_targets["token"] != IGNORE).sum())

    def count_flops(self, batch: Batch) -> float:
        """The operations of the head's matrices at the sub-words to predict: its dense layer and the vocabulary."""
        matrices = [self.encoder[0].word_embeddings, *([] if self.dense is None else [self.dense.weight])]
        return 2.0 * len(batch.targets["position"]) * sum(matrix.numel() for matrix in matrices)

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Logits over the rows of the word embeddings, for hidden states of any leading shape."""
        if self.dense is not None and self.norm is not None:
            hidden = self.norm(gelu(self.dense(hidden)))
        return linear(hidden, self.encoder[0].word_embeddings, self.bias)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        positions = batch.targets["position"]
        tokens = batch.token_targets["token"].flatten()[positions]
        logits = self(hidden.flatten(0, 1)[positions], batch)
        return cross_entropy(logits.float(), self.encoder[0].find_rows(tokens), reduction="sum")
