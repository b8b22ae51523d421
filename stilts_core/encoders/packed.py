"""Hidden states of the types with a fast path: BERT, RoBERTa and XLM-R, on batches without padding."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, cast

import torch

from stilts_core.encoders.cpu.layer import CpuLayer
from stilts_core.encoders.packing import ATTENTION, Packing

if TYPE_CHECKING:
    from transformers import BertModel
    from transformers.models.bert.modeling_bert import BertLayer


class PackedStates:
    """Computes the hidden states of a BERT, RoBERTa or XLM-R of transformers."""

    def __init__(self, model: "BertModel", first_position: int) -> None:
        model.set_attn_implementation(ATTENTION)
        self.model, self.first_position = model, first_position
        self._cpu_layers: list[CpuLayer] = []  # the layers in the form that a CPU computes, built at the first use

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
        packing = Packing(mask, flat_positions)
        states = next(islice(self._packed(packing, rows, types, layer, used_positions), layer, None))
        if used_positions is None or len(states) == len(packing.flat_positions):
            return packing.pad(states)
        padded = states.new_zeros(rows.numel(), states.shape[1])
        return padded.index_copy(0, used_positions, states).view(*rows.shape, -1)

    def iterate(
        self,
        rows: torch.Tensor,
        mask: torch.Tensor,
        types: torch.Tensor | None,
        flat_positions: torch.Tensor | None,
    ) -> Iterator[torch.Tensor]:
        """Iterate over all hidden states from the embeddings up, each computed when it is requested."""
        packing = Packing(mask, flat_positions)
        return map(packing.pad, self._packed(packing, rows, types))

    def _packed(
        self,
        packing: Packing,
        rows: torch.Tensor,
        types: torch.Tensor | None,
        last: int | None = None,
        used_positions: torch.Tensor | None = None,
    ) -> Iterator[torch.Tensor]:
        """Iterate over the hidden states without padding, (sub-words, hidden size).

        A CPU computes hidden state `last` only at `used_positions`.
        """
        if self.model.config.type_vocab_size == 1:
            types = None
        states = self.model.embeddings(
            packing.pack(rows)[None],
            token_type_ids=None if types is None else packing.pack(types)[None],
            position_ids=self.first_position + packing.columns[None],
        )[0]
        yield states
        if rows.device.type == "cpu" and self.model.config.hidden_act == "gelu":
            yield from self._cpu_states(packing, states, last, used_positions)
        else:
            for layer in self.model.encoder.layer:
                states = layer(states[None], packing=packing)[0]
                yield states

    def _cpu_states(
        self, packing: Packing, states: torch.Tensor, last: int | None, used_positions: torch.Tensor | None
    ) -> Iterator[torch.Tensor]:
        """Iterate over the hidden states above the embeddings, computed by the layers for CPUs."""
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else states.dtype
        if not self._cpu_layers:
            self._cpu_layers = [CpuLayer(cast("BertLayer", layer)) for layer in self.model.encoder.layer]
        for number, layer in enumerate(self._cpu_layers, start=1):
            used_rows = None
            if used_positions is not None and number == last:
                used_rows = torch.searchsorted(packing.flat_positions, used_positions)
            states = layer(states, packing, dtype, used_rows)
            yield states
