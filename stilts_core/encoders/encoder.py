"""Pretrained multilingual encoders: forward passes without padding, a trimmed vocabulary, saving."""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from stilts_core.encoders.files import TOKENIZER_FILES, fingerprint_encoder
from stilts_core.encoders.sizes import EncoderSizes
from stilts_core.encoders.tokenizer import EncoderTokenizer, read_tokenizer
from stilts_core.encoders.weights import load_model, locate_tensors, read_tensor
from stilts_core.errors import EncoderError
from stilts_core.storage.atomic import whole_folder

if TYPE_CHECKING:  # torch and transformers take seconds to import; the tokenizer of an encoder needs neither
    import torch
    from transformers import BertModel
    from transformers.models.bert.modeling_bert import BertLayer

    from stilts_core.encoders.cpu.layer import CpuLayer
    from stilts_core.encoders.packing import Packing

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


class HeadName(NamedTuple):
    """The name of one of the MLM head's tensors in checkpoints of XLM-R and of BERT."""

    xlmr: str
    bert: str


# The decoder's matrix is the word embeddings.
MLM_HEAD = {
    "dense.weight": HeadName("lm_head.dense.weight", "cls.predictions.transform.dense.weight"),
    "dense.bias": HeadName("lm_head.dense.bias", "cls.predictions.transform.dense.bias"),
    "norm.weight": HeadName("lm_head.layer_norm.weight", "cls.predictions.transform.LayerNorm.weight"),
    "norm.bias": HeadName("lm_head.layer_norm.bias", "cls.predictions.transform.LayerNorm.bias"),
    "bias": HeadName("lm_head.bias", "cls.predictions.bias"),
}


def read_encoder(folder: Path, name: str | None = None, *, dropout: float | None = None) -> "Encoder":
    """Load the encoder in a Hugging Face folder in fp32; `dropout` replaces the encoder's own dropout.

    `name` is the encoder's name in records (default: the folder). Raises EncoderError as `load_model` does, and for a
    tokenizer with ids that have no embedding.
    """
    encoder = Encoder(load_model(folder, dropout), name or str(folder), folder, dropout)
    if (folder / "tokenizer.json").exists() and encoder.tokenizer.id_count > encoder.vocabulary_size:
        raise EncoderError(
            f"{folder / 'tokenizer.json'} has ids up to {encoder.tokenizer.id_count - 1}, but the encoder has "
            f"{encoder.vocabulary_size} embeddings; use the tokenizer of this encoder, or resize its embeddings with "
            "transformers and train them"
        )
    return encoder


class Encoder:
    """A pretrained encoder: `model` (a BERT, RoBERTa or XLM-R of transformers without pooler and head) and its facts.

    `kind` is the architecture (bert, xlm-roberta), `max_length` the longest input in sub-words with special tokens,
    `vocabulary_size` the size of the full vocabulary, and `parameters` the number of parameters with it. `trimmed_ids`
    are the ids that have an embedding after `trim_vocabulary`, ascending, or None for the full vocabulary.
    """

    def __init__(self, model: "BertModel", name: str, folder: Path, dropout_override: float | None = None) -> None:
        from stilts_core.encoders.packing import ATTENTION

        config = model.config
        model.set_attn_implementation(ATTENTION)
        self.model = model
        self.name = name
        self.folder = folder
        self.kind = config.model_type
        self.layers = config.num_hidden_layers
        self.hidden_size = config.hidden_size
        self.dropout = config.hidden_dropout_prob
        self.attention_dropout = config.attention_probs_dropout_prob
        self.dropout_override = dropout_override
        # BERT numbers positions from 0, the RoBERTa family from the padding id + 1.
        pad = config.pad_token_id
        self.first_position = 0 if self.kind == "bert" or pad is None else pad + 1
        self.max_length = config.max_position_embeddings - self.first_position
        self.vocabulary_size = config.vocab_size
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.trimmed_ids: np.ndarray | None = None
        self._cpu_layers: list[CpuLayer] = []  # the layers in the form that a CPU computes, built at the first use
        # The result of an earlier phase that `restore` loaded: (ids, their embeddings, scale of all other embeddings).
        self._restored: tuple[np.ndarray, torch.Tensor, float] | None = None

    @property
    def tokenizer(self) -> EncoderTokenizer:
        """The encoder's tokenizer."""
        return read_tokenizer(self.folder)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 over all files that decide the outputs: weights, config and tokenizer."""
        return fingerprint_encoder(self.folder)

    @property
    def sizes(self) -> EncoderSizes:
        """The sizes of the encoder with its full vocabulary."""
        config = self.model.config
        rows = config.max_position_embeddings
        return EncoderSizes(self.layers, self.hidden_size, config.intermediate_size, self.vocabulary_size, rows)

    @property
    def word_embeddings(self) -> "torch.Tensor":
        """The word embeddings of `active_ids`, (embedding count, hidden size)."""
        return self.model.embeddings.word_embeddings.weight

    @property
    def embedding_count(self) -> int:
        """The number of word embeddings."""
        return len(self.word_embeddings)

    @property
    def active_ids(self) -> np.ndarray:
        """The ids that have an embedding, ascending."""
        return np.arange(self.vocabulary_size) if self.trimmed_ids is None else self.trimmed_ids

    def hidden(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        types: "torch.Tensor | None" = None,
        flat_positions: "torch.Tensor | None" = None,
        layer: int | None = None,
        used_positions: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """The last hidden state, or hidden state `layer` (0: embeddings), (sequences, length, hidden size).

        `ids` and `mask` (true where there is a token) are (sequences, length), padded on the right. `flat_positions`
        lists the positions in the flattened batch where `mask` is true, ascending; without it they are computed, and a
        GPU is waited for. Padding is not computed: its states are zero. Layers above `layer` are not computed either.

        `used_positions` lists, in ascending order, the flat positions that the caller will use; a CPU may leave the
        other states zero. Raises EncoderError for an input that is too long, an id that was trimmed away, or a layer
        that the encoder does not have.
        """
        if layer is not None and not 0 <= layer <= self.layers:
            raise EncoderError(f"{self.name} has hidden states 0 to {self.layers}; there is no {layer}")
        from stilts_core.encoders.packing import Packing

        packing = Packing(mask, flat_positions)
        last = self.layers if layer is None else layer
        states = next(islice(self._packed_states(packing, ids, types, last, used_positions), last, None))
        if used_positions is None or len(states) == len(packing.flat_positions):
            return packing.pad(states)
        padded = states.new_zeros(ids.numel(), states.shape[1])
        return padded.index_copy(0, used_positions, states).view(*ids.shape, -1)

    def hidden_states(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        types: "torch.Tensor | None" = None,
        flat_positions: "torch.Tensor | None" = None,
    ) -> "Iterator[torch.Tensor]":
        """Iterate over all hidden states from the embeddings up, each computed when it is requested.

        The arguments are those of `hidden`.
        """
        from stilts_core.encoders.packing import Packing

        packing = Packing(mask, flat_positions)
        return map(packing.pad, self._packed_states(packing, ids, types))

    def _packed_states(
        self,
        packing: "Packing",
        ids: "torch.Tensor",
        types: "torch.Tensor | None",
        last: int | None = None,
        used_positions: "torch.Tensor | None" = None,
    ) -> "Iterator[torch.Tensor]":
        """Iterate over the hidden states without padding, (sub-words, hidden size).

        A CPU computes hidden state `last` only at `used_positions`.
        """
        length = ids.shape[1]
        if length > self.max_length:
            raise EncoderError(
                f"an input has {length} sub-words, but {self.name} takes {self.max_length} at most; split or cut it"
            )
        states = self.model.embeddings(
            self.find_rows(packing.pack(ids))[None],
            token_type_ids=None if types is None else packing.pack(types)[None],
            position_ids=self.first_position + packing.columns[None],
        )[0]
        yield states
        if ids.device.type == "cpu" and self.model.config.hidden_act == "gelu":
            yield from self._cpu_states(packing, states, last, used_positions)
        else:
            for layer in self.model.encoder.layer:
                states = layer(states[None], packing=packing)[0]
                yield states

    def _cpu_states(
        self, packing: "Packing", states: "torch.Tensor", last: int | None, used_positions: "torch.Tensor | None"
    ) -> "Iterator[torch.Tensor]":
        """Iterate over the hidden states above the embeddings, computed by the layers for CPUs."""
        import torch

        from stilts_core.encoders.cpu.layer import CpuLayer

        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else states.dtype
        if not self._cpu_layers:
            self._cpu_layers = [CpuLayer(cast("BertLayer", layer)) for layer in self.model.encoder.layer]
        for number, layer in enumerate(self._cpu_layers, start=1):
            used_rows = None
            if used_positions is not None and number == last:
                used_rows = torch.searchsorted(packing.flat_positions, used_positions)
            states = layer(states, packing, dtype, used_rows)
            yield states

    def find_rows(self, ids: "torch.Tensor") -> "torch.Tensor":
        """The rows of `word_embeddings` that belong to `ids`. Raises EncoderError for an id that was trimmed away.

        On a GPU the lookup in the embeddings fails instead: to look for such ids here, the host would have to wait.
        """
        if self.trimmed_ids is None:
            return ids
        rows = self.model.get_buffer("row_of_id")[ids]
        if rows.device.type == "cpu" and (rows < 0).any():
            missing = ids[rows < 0].unique().tolist()
            raise EncoderError(
                f"{len(missing)} sub-word ids have no embedding since the vocabulary was trimmed ({missing[:5]}); "
                "pass the ids of all data to trim_vocabulary"
            )
        return rows

    def trim_vocabulary(self, used_ids: np.ndarray) -> None:
        """Keep only the word embeddings of `used_ids` and of the special tokens.

        The outputs for these ids stay the same, with less memory and less work for the optimiser. Call it before the
        optimiser is created. Raises EncoderError if the vocabulary is already trimmed.
        """
        import torch

        if self.trimmed_ids is not None:
            raise EncoderError(f"the vocabulary of {self.name} is already trimmed; load the encoder again")
        old = self.model.embeddings.word_embeddings
        self.trimmed_ids = np.union1d(used_ids, self.tokenizer.specials)
        remaining = torch.from_numpy(self.trimmed_ids).to(old.weight.device)
        row_of_id = torch.full((self.vocabulary_size,), -1, device=remaining.device)
        row_of_id[remaining] = torch.arange(len(remaining), device=remaining.device)
        self.model.register_buffer("row_of_id", row_of_id, persistent=False)
        self.model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
            old.weight.detach()[remaining], freeze=False, padding_idx=int(row_of_id[old.padding_idx])
        )

    def freeze(self, layers: int | None) -> None:
        """Exclude the embeddings and the lowest `layers` layers from training; None includes everything again.

        A frozen part has no backward pass either, because it lies below all parts that are trained.
        """
        frozen = [] if layers is None else [self.model.embeddings, *self.model.encoder.layer[:layers]]
        self.model.requires_grad_(True)
        for part in frozen:
            part.requires_grad_(False)

    def expand_embeddings(self, unused_scale: float = 1.0) -> "torch.Tensor":
        """The word embeddings of the full vocabulary, on the CPU and detached.

        Trained rows come from the model, all other rows from the encoder's file. `unused_scale` is the factor by which
        weight decay would have shrunk a row that never had a gradient: the product over all steps of
        1 - learning rate x weight decay.
        """
        trained = self.word_embeddings.detach().cpu()
        if self.trimmed_ids is None:
            return trained
        stored = locate_tensors(self.folder)
        full = read_tensor(*next(stored[name] for name in stored if name.endswith(WORD_EMBEDDINGS)))
        if self._restored is not None:
            ids, embeddings, scale = self._restored
            full *= scale
            full[ids] = embeddings
        full *= unused_scale
        full[self.trimmed_ids] = trained
        return full

    def trained_embeddings(self, unused_scale: float = 1.0) -> "tuple[np.ndarray, torch.Tensor, float]":
        """The ids whose embeddings have been trained, now or before `restore`; their embeddings; the others' scale.

        `restore` of the pretrained encoder takes them.
        """
        import torch

        trained = self.word_embeddings.detach()
        if self._restored is None:
            return self.active_ids, trained, unused_scale
        ids, embeddings, scale = self._restored
        union = np.union1d(ids, self.active_ids)
        rows = trained.new_empty(len(union), self.hidden_size)
        rows[torch.from_numpy(np.searchsorted(union, ids))] = embeddings.to(trained) * unused_scale
        rows[torch.from_numpy(np.searchsorted(union, self.active_ids))] = trained
        return union, rows, scale * unused_scale

    def restore(self, tensors: "dict[str, torch.Tensor]", trimmed_ids: np.ndarray, unused_scale: float) -> None:
        """Load the weights that a trimmed copy of this encoder had after training.

        `tensors` is the copy's `model.state_dict()`, with the embeddings of `trimmed_ids` only; `unused_scale` is that
        of `expand_embeddings`. Afterwards the encoder has its full vocabulary and may be trimmed.
        """
        full = self.word_embeddings.detach() * unused_scale
        full[trimmed_ids] = tensors[WORD_EMBEDDINGS]
        self.model.load_state_dict(tensors | {WORD_EMBEDDINGS: full}, assign=True)
        self._restored = (trimmed_ids, tensors[WORD_EMBEDDINGS], unused_scale)

    def reload(self) -> "Encoder":
        """Load the same pretrained encoder again, without any training."""
        return read_encoder(self.folder, self.name, dropout=self.dropout_override)

    def describe(self) -> dict:
        """The facts about the encoder that a record stores."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "architecture": self.kind,
            "layers": self.layers,
            "hidden_size": self.hidden_size,
            "parameters": self.parameters,
            "vocabulary_rows": self.vocabulary_size,
            "rows_used": self.embedding_count,
        }

    def count_flops(self, tokens: int, squares: float) -> float:
        """The floating-point operations of a forward pass over `tokens` sub-words.

        `squares` is the sum of the sequences' squared lengths (see `EncoderSizes.count_flops`).
        """
        return self.sizes.count_flops(tokens, squares)

    def read_mlm_head(self) -> "dict[str, torch.Tensor] | None":
        """Read the checkpoint's MLM head (dense, norm, and the decoder's bias; fp32); None if it has no such head.

        The decoder's matrix is the word embeddings.
        """
        stored = locate_tensors(self.folder)
        head = {}
        for name, alternatives in MLM_HEAD.items():
            known = next((alternative for alternative in alternatives if alternative in stored), None)
            if known is None:
                return None
            head[name] = stored[known]
        return {name: read_tensor(*location) for name, location in head.items()}

    def save(self, folder: Path, unused_scale: float = 1.0) -> None:
        """Write the encoder with its full vocabulary as a Hugging Face folder, which appears whole or not at all.

        `unused_scale` is that of `expand_embeddings`. Raises OSError if `folder` exists and is not empty.
        """
        with whole_folder(folder) as partial:
            self.write_files(partial, unused_scale)

    def write_files(self, folder: Path, unused_scale: float = 1.0) -> None:
        """Write the files of a Hugging Face folder into `folder`, which exists; see `save`."""
        from safetensors.torch import save_file

        tensors = self.model.state_dict() | {WORD_EMBEDDINGS: self.expand_embeddings(unused_scale)}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        self.model.config.architectures = [type(self.model).__name__]
        self.model.config.save_pretrained(folder)
        for name in TOKENIZER_FILES:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder)
