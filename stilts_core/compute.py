"""Where and how to compute: device, precision, and how much at once."""

import ctypes
import os
import sys
from dataclasses import dataclass

import torch

from stilts_core import distributed
from stilts_core.config import ConfigError, RunConfig

# oneDNN keeps code for the last 1,024 shapes that it multiplied, about 1 MB each, and few batches have the same shape.
# It reads this at its first product; 64 shapes are a forward and a backward pass.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

# Padded sub-words of a forward pass in training, where neither user nor profile says: more would only take more memory
# on a CPU, and fewer would leave a GPU idle.
TRAINING_TOKENS = {"cpu": 1536, "cuda": 16384}


@dataclass(frozen=True)
class Compute:
    """The means of a run. `why` is the reason for the precision, in words; `processes` share the work."""

    device: str = "cpu"
    precision: str = "fp32"
    token_budget: int = 4096
    checkpoint_seconds: float = 120.0
    quiet: bool = True
    why: str = ""
    processes: int = 1

    @classmethod
    def of(cls, config: RunConfig) -> "Compute":
        """The means that `config` asks for on this machine; raises ConfigError for a device that is not there."""
        if config.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device is 'cuda', but PyTorch sees no GPU here; use 'auto' or 'cpu'")
        device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        precision, why = (config.precision, "as asked for") if config.precision != "auto" else best_precision(device)
        quiet = config.quiet or distributed.rank() > 0
        processes = distributed.world()
        budget = config.token_budget or TRAINING_TOKENS[device]
        return cls(device, precision, budget, config.checkpoint_seconds, quiet, why, processes)

    def autocast(self) -> torch.autocast:
        """The context in which forward passes run."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bf16")


HERE = Compute()  # this machine's CPU, in fp32, and no progress bars


def best_precision(device: str) -> tuple[str, str]:
    """The fastest precision that training tolerates on `device`, 'bf16' or 'fp32', and the reason in words."""
    if device == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", "this GPU computes in bf16") if has else ("fp32", "this GPU does not compute in bf16")
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return ("bf16", "this CPU has bf16 instructions") if has else ("fp32", "this CPU has no bf16 instructions")


def return_freed_memory() -> None:
    """Give the system the freed memory that the C library keeps: a phase leaves it up to a gigabyte."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
