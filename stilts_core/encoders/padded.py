"""Encoders that transformers' own layers compute, on padded batches: all types without a fast path."""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stilts_core.encoders.architectures import CHOICES
from stilts_core.encoders.files import explain_config, require_ranges
from stilts_core.encoders.tensors import locate_tensors, map_tensors, require_exact, require_finite
from stilts_core.errors import EncoderError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What a checkpoint may hold beyond the encoder: heads of its earlier training under the names of all types.
UNUSED_TENSORS = re.compile(
    r"(\w+\.)?((pooler|lm_head|cls|classifier|qa_outputs|head|decoder|lm_predictions|mask_predictions|vocab_transform"
    r"|vocab_layer_norm|vocab_projector|generator_predictions|generator_lm_head|discriminator_predictions|pred_layer"
    r"|pre_classifier|sequence_summary|lang_embeddings|predictions|sop_classifier|entity_predictions)\.|(embeddings\.)?position_ids$)"
)
LANGUAGES_LEFT_OUT = (
    "{name} was pretrained with an embedding of each text's language, which is left out here, because inputs carry no "
    "language: its scores may be lower than published ones."
)
TOLERANCE = 1e-3  # of a hidden state relative to its largest value, when padding is added to a batch


def load_padded_model(folder: Path, kind: str, dropout: float | None = None) -> "PreTrainedModel":
    """Load an encoder through transformers in fp32, as `weights.load_model` does it for the fast types.

    Attention is PyTorch's or transformers' own, and never a kernel that has to be installed. XLM's language embeddings
    are left out: the interface of encoders has no language.
    """
    import transformers
    from transformers.models.auto import modeling_auto as auto

    name = auto.MODEL_MAPPING_NAMES[kind]
    model_class: Any = getattr(transformers, name if isinstance(name, str) else name[0])
    more: dict[str, Any] = {}
    if "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
        more["add_pooling_layer"] = False
    attention = "sdpa" if model_class._supports_sdpa else "eager"
    locations = locate_tensors(folder)
    tensors = map_tensors(folder, locations)
    require_finite(tensors, locations)
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        require_ranges(folder, config)
        config.dtype = torch.float32
        if getattr(config, "use_lang_emb", False):
            config.use_lang_emb = False
        _set_dropout(config, dropout)
        with _quiet():
            # With transformers' loader, which knows older names of tensors, and fills the buffers that are not stored.
            model, report = model_class.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                attn_implementation=attention,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are an error of ours, with the others
                **more,
            )
    except EncoderError:
        raise
    except Exception as error:  # transformers raises errors of many classes for values that it cannot use
        raise explain_config(folder, kind, error) from error
    require_exact(
        folder,
        kind,
        missing=report["missing_keys"],
        unknown=[name for name in report["unexpected_keys"] if not UNUSED_TENSORS.match(name)],
        reshaped=[name for name, *_ in report["mismatched_keys"]],
    )
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers print neither a progress bar nor a report of tensors that have just been checked."""
    from transformers.utils import logging

    verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bar:
            logging.enable_progress_bar()


def _set_dropout(config: Any, dropout: float | None) -> None:
    """Replace the dropout of embeddings and layers, whatever the type calls it; that of heads stays."""
    if dropout is not None:
        for field, value in vars(config).items():
            heads = ("classifier", "pooler", "summary", "seq_classif", "qa")
            if "dropout" in field and isinstance(value, int | float) and not field.startswith(heads):
                setattr(config, field, dropout)


def find_first_position(model: "PreTrainedModel") -> int:
    """The number of the first position: the padding id + 1 in relatives of RoBERTa, whose positions have padding."""
    for name, module in model.named_modules():
        is_table = name.split(".")[-1] == "position_embeddings" and isinstance(module, nn.Embedding)
        if is_table and module.padding_idx is not None:
            return module.padding_idx + 1
    return 0


class PaddedStates:
    """Computes the hidden states of an encoder by transformers' own forward pass, of which all layers run."""

    def __init__(self, model: "PreTrainedModel", first_position: int) -> None:
        self.model, self.first_position = model, first_position
        takes = inspect.signature(type(model).forward).parameters
        # XLM would add the word embeddings of token types; its config has no number of types.
        self.has_types = "token_type_ids" in takes and getattr(model.config, "type_vocab_size", 0) > 1

    def compute(
        self,
        rows: torch.Tensor,
        mask: torch.Tensor,
        types: torch.Tensor | None,
        flat_positions: torch.Tensor | None,
        layer: int,
        used_positions: torch.Tensor | None,
    ) -> torch.Tensor:
        """Hidden state `layer`; see `Encoder.hidden`. `rows` are those of the word embeddings."""
        is_last = layer == self.model.config.num_hidden_layers
        output = self._forward(rows, mask, types, output_hidden_states=not is_last)
        states = output.last_hidden_state if is_last else output.hidden_states[layer]
        return states.float().masked_fill(~mask.bool().unsqueeze(-1), 0.0)

    def iterate(
        self,
        rows: torch.Tensor,
        mask: torch.Tensor,
        types: torch.Tensor | None,
        flat_positions: torch.Tensor | None,
    ) -> Iterator[torch.Tensor]:
        """Iterate over all hidden states from the embeddings up."""
        padding = ~mask.bool().unsqueeze(-1)
        for states in self._forward(rows, mask, types, output_hidden_states=True).hidden_states:
            yield states.float().masked_fill(padding, 0.0)

    def _forward(self, rows: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None, **options: bool) -> Any:
        more: dict[str, torch.Tensor] = {}
        if types is not None and self.has_types:
            more["token_type_ids"] = types
        if self.first_position:  # transformers would count ids that are not padding, but a trimmed vocabulary has rows
            columns = torch.arange(rows.shape[1], device=rows.device)
            more["position_ids"] = (self.first_position + columns).expand(rows.shape)
        return self.model(input_ids=rows, attention_mask=mask.long(), return_dict=True, **options, **more)


def describe_losses(name: str, folder: Path) -> list[str]:
    """What an encoder loses here beside its publication, in words."""
    is_lost = any("lang_embeddings." in tensor for tensor in locate_tensors(folder))
    return [LANGUAGES_LEFT_OUT.format(name=name)] if is_lost else []


@torch.inference_mode()
def check_states(
    model: "PreTrainedModel", kind: str, first_position: int, padding: int, precision: str = "fp32"
) -> None:
    """Raise EncoderError if an untested type does not give one hidden state a layer, or depends on padding.

    The same holds if it cannot compute in a run's `precision`, or if its vocabulary cannot be trimmed. `padding` is the
    id of the padding token. Types with a masked-LM head include some whose attention has no mask.
    """
    ids = torch.arange(8).remainder(model.config.vocab_size)[None]
    states = PaddedStates(model, first_position)
    padded = torch.cat([ids, torch.full((1, 5), padding)], 1)
    mask = torch.arange(13)[None] < 8
    embeddings = type(model.get_input_embeddings())
    if embeddings is not nn.Embedding:  # I-BERT's are quantised: `Encoder.trim_vocabulary` would write ordinary ones
        raise EncoderError(
            f"encoders of type {kind!r} have word embeddings of their own ({embeddings.__name__}), and a run could not "
            f"trim its vocabulary; {CHOICES}"
        )
    try:
        alone = list(states.iterate(ids, torch.ones_like(ids, dtype=torch.bool), None, None))
        beside = list(states.iterate(padded, mask, None, None))
    except Exception as error:  # whatever another architecture needs
        reason = " ".join(str(error).split())
        raise EncoderError(
            f"encoders of type {kind!r} take other inputs ({type(error).__name__}: {reason}); {CHOICES}"
        ) from error
    expected = model.config.num_hidden_layers + 1
    if len(alone) != expected:
        raise EncoderError(f"encoders of type {kind!r} have {len(alone)} hidden states and not {expected}; {CHOICES}")
    for one, other in zip(alone, beside, strict=True):
        if one.shape[1] != 8 or (one - other[:, :8]).abs().max() > TOLERANCE * one.abs().max():
            raise EncoderError(f"hidden states of encoders of type {kind!r} depend on padding; {CHOICES}")
    if precision == "bf16":
        try:  # on the CPU, where a model is loaded
            with torch.autocast("cpu", torch.bfloat16):
                list(states.iterate(padded, mask, None, None))
        except Exception as error:  # as DeBERTa's, whose mask is the lowest number of fp32
            reason = " ".join(str(error).split())
            raise EncoderError(
                f"encoders of type {kind!r} cannot compute in bf16 ({type(error).__name__}: {reason}); use --precision "
                f"fp32, or {CHOICES}"
            ) from error
