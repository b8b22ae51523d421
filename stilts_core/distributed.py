"""Several processes that do one run together, one for each GPU; `torchrun` starts them.

Each of them knows the whole batch of every step and computes a share of it. Gradients are sums over features, divided
by a count that all of them know; so the sum of the processes' gradients is the gradient of the batch. All hold the same
weights at any time, and the first alone writes. A process that torchrun did not start is alone, and nothing is sent.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, groupby

import torch
import torch.distributed as dist

BUCKET = 16 * 2**20  # gradients (64 MiB of them) that are summed at once: enough to use the link, little to hold twice
PATIENCE = timedelta(days=2)  # the others wait while the first waits for a lock; torchrun ends them if it dies


@contextmanager
def together() -> Iterator[None]:
    """The processes that torchrun started are a group while the context lasts; each takes a GPU if there are any."""
    if not dist.is_torchelastic_launched():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    yield
    dist.destroy_process_group()


def rank() -> int:
    """The number of this process in its group, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes the group has."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def first_ahead() -> Iterator[None]:
    """The first process goes through the context, then the others do: they find what it wrote, and what it deleted."""
    if rank() > 0:
        summed(torch.zeros(1))
    yield
    if rank() == 0:
        summed(torch.zeros(1))


def summed(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor`, in place, as the sum over all processes."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes; these must have gradients of the same parameters."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    ends = accumulate(gradient.numel() for gradient in gradients)
    for _, bucket in groupby(zip(gradients, ends, strict=True), key=lambda pair: pair[1] // BUCKET):
        bucket = [gradient for gradient, _ in bucket]
        flat = summed(torch.cat([gradient.flatten() for gradient in bucket]))
        parts = flat.split([gradient.numel() for gradient in bucket])
        torch._foreach_copy_(bucket, [part.view_as(gradient) for part, gradient in zip(parts, bucket, strict=True)])


def gathered(own: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """The rows of all processes one after the other, `rows[r]` of them from process `r`, `own` being this one's.

    Gradients flow into `own` only. Where every process computes the same loss from all rows, that is all that its
    weights need: the others' part of the gradient arrives with `sum_gradients`.
    """
    before, after = sum(rows[: rank()]), sum(rows[rank() + 1 :])
    sides = [own.new_zeros(count, *own.shape[1:]) for count in (before, after)]
    everyone = summed(torch.cat([sides[0], own.detach(), sides[1]]))
    return torch.cat([everyone[:before], own, everyone[before + len(own) :]])
