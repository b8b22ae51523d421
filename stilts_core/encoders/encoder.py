"""Pretrained multilingual encoders: forward passes without padding, a trimmed vocabulary, saving."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from stilts_core.encoders.architectures import FAST_TYPES, TESTED_TYPES
from stilts_core.encoders.files import TOKENIZER_FILES, fingerprint_encoder
from stilts_core.encoders.mlm_heads import NEW_HEAD, is_readable, read_head
from stilts_core.encoders.tensors import locate_tensors, read_tensor
from stilts_core.encoders.tokenizer import EncoderTokenizer, read_tokenizer
from stilts_core.encoders.weights import load_model
from stilts_core.errors import EncoderError
from stilts_core.storage.atomic import whole_folder

if TYPE_CHECKING:  # torch and transformers take seconds to import; the tokenizer of an encoder needs neither
    import torch
    from transformers import BertModel, PreTrainedModel

    from stilts_core.encoders.packed import PackedStates
    from stilts_core.encoders.padded import PaddedStates


# A tokenizer with fewer ids than this share of the embeddings, and with at least this many fewer, is perhaps another
# encoder's. Embeddings without an id are usual: some encoders round their number up to a multiple of 64 or 128.
FEWEST_IDS, MOST_SPARE = 0.9, 128


def read_encoder(
    folder: Path, name: str | None = None, *, dropout: float | None = None, precision: str = "fp32"
) -> "Encoder":
    """Load the encoder in a Hugging Face folder in fp32; `dropout` replaces the encoder's own dropout.

    `name` is the encoder's name in records (default: the folder), and `precision` that of the forward passes to come,
    for which untested types are tried. Raises EncoderError as `load_model` does, and for a tokenizer with ids that have
    no embedding.
    """
    encoder = Encoder(load_model(folder, dropout), name or str(folder), folder, dropout)
    if not encoder.fast and encoder.kind not in TESTED_TYPES:
        from stilts_core.encoders.padded import check_states

        check_states(encoder.model, encoder.kind, encoder.first_position, encoder.tokenizer.pad, precision)
    if (folder / "tokenizer.json").exists():
        _compare_vocabulary(encoder)
    return encoder


def _compare_vocabulary(encoder: "Encoder") -> None:
    """Raise EncoderError if ids of the tokenizer have no embedding; note it if many embeddings have no id."""
    ids, rows, path = encoder.tokenizer.id_count, encoder.vocabulary_size, encoder.folder / "tokenizer.json"
    if ids > rows:
        raise EncoderError(
            f"{path} has ids up to {ids - 1}, but the encoder has {rows} embeddings; use the tokenizer of this "
            "encoder, or resize its embeddings with transformers and train them"
        )
    if ids < FEWEST_IDS * rows and rows - ids >= MOST_SPARE:
        encoder.notes.append(
            f"{encoder.name} has {rows:,} embeddings, but its tokenizer.json only {ids:,} ids: check that it is the "
            "tokenizer of this encoder. With another one, scores mean nothing."
        )


class Encoder:
    """A pretrained encoder: `model` (a model of transformers without pooler and head) and its facts.

    `kind` is the type (bert, xlm-roberta, modernbert, …), `max_length` the longest input in sub-words with special
    tokens, `vocabulary_size` the size of the full vocabulary, and `parameters` the number of parameters with it. `fast`
    says whether the type has a fast path; other types are computed by transformers' own layers (see `padded`), with the
    same results. `trimmed_ids` are the ids that have an embedding after `trim_vocabulary`, ascending, or None for the
    full vocabulary. `notes` say in words what is not as published, for the record of a run.
    """

    def __init__(
        self, model: "BertModel | PreTrainedModel", name: str, folder: Path, dropout_override: float | None = None
    ) -> None:
        config = model.config
        self.model = model
        self.name = name
        self.folder = folder
        self.kind: str = config.model_type
        self.fast = self.kind in FAST_TYPES
        self.layers: int = config.num_hidden_layers
        self.hidden_size: int = config.hidden_size
        rates = (getattr(config, field, None) for field in ("hidden_dropout_prob", "dropout", "embedding_dropout"))
        self.dropout = next((float(rate) for rate in rates if rate is not None), 0.0)
        self.dropout_override = dropout_override
        self.notes: list[str] = []
        self._states: PackedStates | PaddedStates
        if self.fast:
            from stilts_core.encoders import packed

            # BERT numbers positions from 0, the RoBERTa family from the padding id + 1.
            pad = config.pad_token_id
            self.first_position: int = 0 if self.kind == "bert" or pad is None else pad + 1
            self._states = packed.PackedStates(cast("BertModel", model), self.first_position)
        else:
            from stilts_core.encoders import padded

            self.first_position = padded.find_first_position(model)
            self._states = padded.PaddedStates(model, self.first_position)
            self.notes = padded.describe_losses(name, folder)
        if not is_readable(config):
            self.notes.append(NEW_HEAD.format(name=name))
        self.max_length = config.max_position_embeddings - self.first_position
        self.vocabulary_size: int = config.vocab_size
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.trimmed_ids: np.ndarray | None = None
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
    def word_embeddings(self) -> "torch.Tensor":
        """The word embeddings of `active_ids`, (embedding count, width); few widths are not `hidden_size`."""
        return self._embedding_layer.weight

    @property
    def embeddings_name(self) -> str:
        """The name of `word_embeddings` in the model's `state_dict`."""
        return next(name for name, tensor in self.model.named_parameters() if tensor is self.word_embeddings)

    @property
    def norm_eps(self) -> float:
        """The epsilon of the layer norms."""
        config = self.model.config
        names = [name for name in ("layer_norm_eps", "norm_eps") if hasattr(config, name)]
        return getattr(config, names[0]) if names else 1e-12  # DistilBERT's, which no config holds

    @property
    def _embedding_layer(self) -> "torch.nn.Embedding":
        return cast("torch.nn.Embedding", self.model.get_input_embeddings())

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
        GPU is waited for. The states of padding are zero. The fast path computes neither padding nor the layers above
        `layer`.

        `used_positions` lists, in ascending order, the flat positions that the caller will use; a CPU may leave the
        other states zero. Raises EncoderError for an input that is too long, an id that was trimmed away, or a layer
        that the encoder does not have.
        """
        if layer is not None and not 0 <= layer <= self.layers:
            raise EncoderError(f"{self.name} has hidden states 0 to {self.layers}; there is no {layer}")
        self._check_length(ids)
        last = self.layers if layer is None else layer
        return self._states.compute(self.find_rows(ids), mask, types, flat_positions, last, used_positions)

    def hidden_states(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        types: "torch.Tensor | None" = None,
        flat_positions: "torch.Tensor | None" = None,
    ) -> "Iterator[torch.Tensor]":
        """Iterate over all hidden states from the embeddings up; the fast path computes each when it is requested.

        The arguments are those of `hidden`.
        """
        self._check_length(ids)
        return self._states.iterate(self.find_rows(ids), mask, types, flat_positions)

    def _check_length(self, ids: "torch.Tensor") -> None:
        if ids.shape[1] > self.max_length:
            raise EncoderError(
                f"an input has {ids.shape[1]} sub-words, but {self.name} takes {self.max_length} at most; split or cut "
                "it"
            )

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
        old = self._embedding_layer
        padding = [] if old.padding_idx is None else [old.padding_idx]
        self.trimmed_ids = np.union1d(used_ids, [*self.tokenizer.specials, *padding])
        remaining = torch.from_numpy(self.trimmed_ids).to(old.weight.device)
        row_of_id = torch.full((self.vocabulary_size,), -1, device=remaining.device)
        row_of_id[remaining] = torch.arange(len(remaining), device=remaining.device)
        self.model.register_buffer("row_of_id", row_of_id, persistent=False)
        row = int(row_of_id[old.padding_idx]) if padding else None
        trimmed = torch.nn.Embedding.from_pretrained(old.weight.detach()[remaining], freeze=False, padding_idx=row)
        self.model.set_input_embeddings(trimmed)

    def freeze(self, layers: int | None) -> None:
        """Exclude the embeddings and the lowest `layers` layers from training; None includes everything again.

        A frozen part has no backward pass either, because it lies below all parts that are trained. What the layers
        share (relative positions in DeBERTa-v2) is frozen only with all of them. Raises EncoderError for a type whose
        layers are not in a list, such as ALBERT, where all layers are one.
        """
        self.model.requires_grad_(True)
        if layers is not None:
            for parameter in find_lower_parameters(self.model, layers, self.name):
                parameter.requires_grad_(False)

    def expand_embeddings(self, unused_scale: float = 1.0) -> "torch.Tensor":
        """The word embeddings of the full vocabulary, on the CPU and detached.

        Trained rows come from the model, all other rows from the encoder's file. `unused_scale` is the factor by which
        weight decay would have shrunk a row that never had a gradient: the product over all steps of
        1 - learning rate x weight decay.
        """
        trained = self.word_embeddings.detach().cpu()
        if self.trimmed_ids is None:
            return trained
        stored, name = locate_tensors(self.folder), self.embeddings_name
        location = stored.get(name) or stored.get(f"{self.model.base_model_prefix}.{name}")
        # A few types have other names in their files than in the model.
        full = read_tensor(*location) if location else self.reload().word_embeddings.detach()
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
        rows = trained.new_empty(len(union), trained.shape[1])
        rows[torch.from_numpy(np.searchsorted(union, ids))] = embeddings.to(trained) * unused_scale
        rows[torch.from_numpy(np.searchsorted(union, self.active_ids))] = trained
        return union, rows, scale * unused_scale

    def restore(self, tensors: "dict[str, torch.Tensor]", trimmed_ids: np.ndarray, unused_scale: float) -> None:
        """Load the weights that a trimmed copy of this encoder had after training.

        `tensors` is the copy's `model.state_dict()`, with the embeddings of `trimmed_ids` only; `unused_scale` is that
        of `expand_embeddings`. Afterwards the encoder has its full vocabulary and may be trimmed.
        """
        full, name = self.word_embeddings.detach() * unused_scale, self.embeddings_name
        full[trimmed_ids] = tensors[name]
        self.model.load_state_dict(tensors | {name: full}, assign=True)
        self._restored = (trimmed_ids, tensors[name], unused_scale)

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

        `squares` is the sum of the sequences' squared lengths. A multiplication with an addition counts as two
        operations. Only the layers' matrices and attention are counted: no head (see `Head.count_flops`), and not
        DeBERTa-v2's products with relative positions, about a tenth more.
        """
        import torch

        linear = [module for module in self.model.modules() if isinstance(module, torch.nn.Linear)]
        matrices = sum(module.weight.numel() for module in linear)
        return 2.0 * (tokens * matrices + 2 * self.layers * squares * self.hidden_size)

    def read_mlm_head(self) -> "dict[str, torch.Tensor] | None":
        """Read the checkpoint's MLM head in fp32 (dense, norm, and the decoder's bias; XLM's has only the bias).

        None if the checkpoint has no head with GELU whose decoder's matrix is the word embeddings.
        """
        return read_head(self.folder) if is_readable(self.model.config) else None

    def save(self, folder: Path, unused_scale: float = 1.0) -> None:
        """Write the encoder with its full vocabulary as a Hugging Face folder, which appears whole or not at all.

        `unused_scale` is that of `expand_embeddings`. Raises OSError if `folder` exists and is not empty.
        """
        with whole_folder(folder) as partial:
            self.write_files(partial, unused_scale)

    def write_files(self, folder: Path, unused_scale: float = 1.0) -> None:
        """Write the files of a Hugging Face folder into `folder`, which exists; see `save`."""
        from safetensors.torch import save_file

        tensors = self.model.state_dict() | {self.embeddings_name: self.expand_embeddings(unused_scale)}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        self.model.config.architectures = [type(self.model).__name__]
        self.model.config.save_pretrained(folder)
        for name in TOKENIZER_FILES:
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder)


def find_lower_parameters(model: "PreTrainedModel", layers: int, name: str) -> "list[torch.nn.Parameter]":
    """The parameters of the embeddings and of the lowest `layers` layers; all parameters for all layers.

    A model's layers are its lists of as many modules as it has layers: one list, or several in XLM. What it holds
    before them is below them. Raises EncoderError if there is no such list.
    """
    import torch

    lists: list[str] = []
    for place, module in model.named_modules():
        is_inside = place.startswith(tuple(f"{outer}." for outer in lists))
        if isinstance(module, torch.nn.ModuleList) and len(module) == model.config.num_hidden_layers and not is_inside:
            lists.append(place)
    if not lists:
        raise EncoderError(f"the layers of {name} ({model.config.model_type}) cannot be frozen one by one; freeze none")
    if layers == model.config.num_hidden_layers:
        return list(model.parameters())
    below = {f"{place}.{number}." for place in lists for number in range(layers)}
    if layers and isinstance(getattr(getattr(model, "encoder", None), "conv", None), torch.nn.Module):
        below.add("encoder.conv.")  # DeBERTa-v2 adds a convolution to its first layer
    names = [parameter for parameter, _ in model.named_parameters()]
    first = next(number for number, parameter in enumerate(names) if parameter.startswith(f"{lists[0]}."))
    below |= set(names[:first])
    return [model.get_parameter(parameter) for parameter in names if parameter.startswith(tuple(below))]
