"""Where and how a run computes: device, precision, and tokens in one forward pass."""

import ctypes
import os
import sys
from dataclasses import dataclass

import torch

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.training import distributed

# oneDNN caches the code of the last 1,024 matrix shapes, about 1 MB each, but few batches have the same shape. 64 are
# enough for a forward and a backward pass. oneDNN reads this variable at its first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

# Padded sub-words in one forward pass of training, if neither the user nor the profile sets a number. More would only
# take more memory on a CPU; fewer would leave a GPU idle.
TRAINING_TOKENS = {"cpu": 1536, "cuda": 16384}


@dataclass(frozen=True)
class Compute:
    """The computing resources of a run.

    `token_budget` is the largest number of padded sub-words in one forward pass of training, `checkpoint_seconds` the
    time between two checkpoints, `quiet` switches progress bars off, `precision_reason` says in words why `precision`
    was chosen, and `processes` is the number of processes that share the run.
    """

    device: str = "cpu"
    precision: str = "fp32"
    token_budget: int = 4096
    checkpoint_seconds: float = 120.0
    quiet: bool = True
    precision_reason: str = ""
    processes: int = 1

    @classmethod
    def from_config(cls, config: RunConfig) -> "Compute":
        """The resources for `config` on this machine. Raises ConfigError if the configured device does not exist."""
        if config.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device is 'cuda', but PyTorch sees no GPU; use 'auto' or 'cpu'")
        device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        precision, reason = (config.precision, "as configured")
        if config.precision == "auto":
            precision, reason = best_precision(device)
        return cls(
            device=device,
            precision=precision,
            token_budget=config.token_budget or TRAINING_TOKENS[device],
            checkpoint_seconds=config.checkpoint_seconds,
            quiet=config.quiet or distributed.rank() > 0,
            precision_reason=reason,
            processes=distributed.world_size(),
        )

    def autocast(self) -> torch.autocast:
        """The context in which forward passes run."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bf16")


CPU_FP32 = Compute()  # the default of functions: the CPU in fp32, without progress bars


def best_precision(device: str) -> tuple[str, str]:
    """The fastest precision that is accurate enough for training on `device`, 'bf16' or 'fp32', and the reason."""
    if device == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", "this GPU computes in bf16") if has else ("fp32", "this GPU does not compute in bf16")
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return ("bf16", "this CPU has bf16 instructions") if has else ("fp32", "this CPU has no bf16 instructions")


def return_freed_memory() -> None:
    """Return memory that the C library has freed but still holds to the system: up to 1 GB after a phase."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
