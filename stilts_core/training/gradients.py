"""The gradient of one step, accumulated over micro-batches and shared among processes. Nothing here waits for a GPU."""

from itertools import chain

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint as recompute_in_backward

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.batches import Batch, collate, to_device
from stilts_core.families.head import Head, scale_gradient
from stilts_core.training import distributed
from stilts_core.training.batching import split_evenly, split_within_budget
from stilts_core.training.compute import Compute
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import TrainingTask


def accumulate_gradient(
    encoder: Encoder,
    task: TrainingTask,
    chosen: np.ndarray,
    weight: float,
    seed: tuple[int, int],
    compute: Compute,
    phase: Phase,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Add the gradient of the mean loss over the `chosen` features, weighted as `Head.weighted_loss` says.

    Returns the mean loss, detached, and the share of right answers of a head that counts them. Each of several
    processes adds the gradient of its share of the features and returns its share of both. `seed` is (seed of the
    phase, step); `phase` counts the sub-words and the operations of the head.
    """
    shares, terms = prepare_micro_batches(encoder, task, chosen, seed, compute, phase)
    whole_step = list(chain.from_iterable(shares))
    own_share = shares[distributed.rank()]
    # A process without features computes one of another process with weight 0. Its parameters then have gradients, as
    # `sum_gradients` needs.
    idle = not own_share
    own = [batch.to(compute.device) for batch in (whole_step[-1:] if idle else own_share)]
    if task.head.contrastive:
        outputs = compute_outputs(encoder, task.head, own, compute)
        counts = [sum(len(batch.sequences) for batch in share) for share in shares]
        outputs = distributed.gather_rows(outputs[:0] if idle else outputs, counts)
        names = whole_step[0].targets
        targets = {name: torch.cat([batch.targets[name] for batch in whole_step]) for name in names}
        targets = {name: to_device(target, compute.device) for name, target in targets.items()}
        loss = scale_gradient(task.head.contrastive_loss(outputs, targets) / terms, weight)
        loss.backward()
        return loss.detach() / distributed.world_size(), None
    total, right = torch.zeros((), device=compute.device), None
    for batch in own:
        with compute.autocast():
            used = task.head.used_positions(batch)
            hidden = encoder.hidden(**batch.inputs, layer=task.head.layer, used_positions=used)
            loss = task.head.weighted_loss(hidden, batch, weight) / terms * (not idle)
        loss.backward()
        total += loss.detach()
        if task.head.right is not None:
            own_right = task.head.right / terms * (not idle)
            right = own_right if right is None else right + own_right
    return total, right


def prepare_micro_batches(
    encoder: Encoder, task: TrainingTask, chosen: np.ndarray, seed: tuple[int, int], compute: Compute, phase: Phase
) -> tuple[list[list[Batch]], int]:
    """The micro-batches of one step, on the host, for each process, and the number of terms that their losses sum.

    Every process prepares the whole step. That is cheap, and it tells all processes the number of terms without any
    communication.
    """
    shares = [
        [
            task.head.prepare(collate(task.features, micro_batch, encoder.tokenizer.pad), seed)
            for micro_batch in split_within_budget(task.features, share, compute.token_budget)
        ]
        for share in split_evenly(task.features, chosen, distributed.world_size())
    ]
    whole_step = list(chain.from_iterable(shares))
    for batch in whole_step:
        lengths = batch.mask.sum(1)
        phase.tokens += int(lengths.sum())
        phase.padded += batch.ids.numel()
        phase.squares += float((lengths.double() ** 2).sum())
        phase.head_flops += task.head.count_flops(batch)
    return shares, max(1, sum(task.head.count_terms(batch) for batch in whole_step))


def compute_outputs(encoder: Encoder, head: Head, batches: list[Batch], compute: Compute) -> torch.Tensor:
    """The outputs of a contrastive head for all `batches`, with their gradients.

    If there are several batches, the backward pass computes their hidden states again, one batch at a time. Only the
    outputs stay in memory, so a step of any size needs the memory of one micro-batch.
    """

    def outputs(batch: Batch) -> torch.Tensor:
        with compute.autocast():
            return head(encoder.hidden(**batch.inputs, layer=head.layer), batch)

    if len(batches) == 1:
        return outputs(batches[0])
    return torch.cat([recompute_in_backward(outputs, batch, use_reentrant=False) for batch in batches])
