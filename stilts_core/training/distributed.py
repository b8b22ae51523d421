"""Data-parallel training: several processes share one run, one process for each GPU. `torchrun` starts them.

Every process knows the whole batch of every step and computes its share of it. A loss is a sum over features, divided
by a count that every process knows, so the sum of the processes' gradients is the gradient of the whole batch. All
processes therefore hold the same weights at any time. Only the main process (rank 0) writes checkpoints and the record;
every process writes the same predictions and cache entries, each file whole. A process that torchrun did not start
works alone, and nothing is sent.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, groupby

import torch
import torch.distributed as dist

# Gradient elements (64 MiB in fp32) that one all-reduce sums: enough to use the link, few enough to hold a second time.
BUCKET_ELEMENTS = 16 * 2**20
# The other processes wait in a collective call while the main process waits for a lock. torchrun ends them if it dies.
TIMEOUT = timedelta(days=2)


@contextmanager
def process_group() -> Iterator[None]:
    """Connect the processes that torchrun started while the block lasts; each takes one GPU if there are GPUs."""
    if not dist.is_torchelastic_launched():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    yield
    dist.destroy_process_group()


def rank() -> int:
    """The number of this process in its group, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes in the group."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def main_process_first() -> Iterator[None]:
    """Run the block in the main process, then in the others, which see the files that it wrote or deleted."""
    if rank() > 0:
        sum_over_processes(torch.zeros(1))
    yield
    if rank() == 0:
        sum_over_processes(torch.zeros(1))


def sum_over_processes(tensor: torch.Tensor) -> torch.Tensor:
    """Replace `tensor`, in place, by its sum over all processes, and return it."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


def sum_numbers(value: float) -> float:
    """The sum of a number over all processes."""
    return float(sum_over_processes(torch.tensor([value], dtype=torch.float64)))


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes. The same parameters must have gradients in all of them."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    ends = accumulate(gradient.numel() for gradient in gradients)
    for _, group in groupby(zip(gradients, ends, strict=True), key=lambda pair: pair[1] // BUCKET_ELEMENTS):
        bucket = [gradient for gradient, _ in group]
        flat = sum_over_processes(torch.cat([gradient.flatten() for gradient in bucket]))
        sums = flat.split([gradient.numel() for gradient in bucket])
        torch._foreach_copy_(bucket, [part.view_as(gradient) for part, gradient in zip(sums, bucket, strict=True)])


def gather_rows(own: torch.Tensor, counts: list[int]) -> torch.Tensor:
    """Concatenate the rows of all processes in the order of their ranks.

    `own` holds the rows of this process, and `counts[r]` is the number of rows of rank `r`. Gradients flow into `own`
    only. That is enough where every process computes the same loss from all rows: `sum_gradients` adds the gradients
    that the other processes compute from their rows.
    """
    before, after = sum(counts[: rank()]), sum(counts[rank() + 1 :])
    padding = [own.new_zeros(count, *own.shape[1:]) for count in (before, after)]
    everyone = sum_over_processes(torch.cat([padding[0], own.detach(), padding[1]]))
    return torch.cat([everyone[:before], own, everyone[before + len(own) :]])
