"""AdamW with gradient clipping. On a CPU, a kernel updates all parameters in one pass."""

import ctypes
from typing import Any

import torch

from stilts_core.encoders.cpu.kernels import Parameter, kernels


class AdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW. Each step first clips the norm of all gradients together to `clip`.

    The gradients of groups with a true `apart` are clipped together, apart from those of the other groups.
    """

    def __init__(self, groups: list[dict], *, clip: float, **options: Any) -> None:
        super().__init__(groups, fused=True, **options)
        self.clip = clip

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # PyTorch's closure is not supported
        """Update the parameters that have a gradient."""
        stepping = [
            (group, parameter)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        apart = [(group, parameter) for group, parameter in stepping if group.get("apart")]
        together = [pair for pair in stepping if not pair[0].get("apart")] if apart else stepping
        if all(_is_supported(parameter) for _, parameter in stepping) and (library := kernels().library):
            for part in filter(None, (together, apart)):
                self._step_with_kernels(library, part)
            return
        # The fused step divides gradients by this number, so clipping needs no pass over the gradients.
        self.grad_scale = self._divisor(together)
        if apart:
            factor = self.grad_scale / self._divisor(apart)
            torch._foreach_mul_([parameter.grad for _, parameter in apart if parameter.grad is not None], factor)
        super().step()

    def _divisor(self, stepping: list[tuple[dict, torch.nn.Parameter]]) -> torch.Tensor:
        """What gradients are divided by, so that their norm is at most `clip`."""
        gradients = [parameter.grad for _, parameter in stepping if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
        return (norm / self.clip).clamp(min=1.0)

    def _step_with_kernels(self, library: ctypes.CDLL, stepping: list[tuple[dict, torch.nn.Parameter]]) -> None:
        for _, parameter in stepping:
            if not self.state[parameter]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                self.state[parameter] = {"step": torch.zeros(()), **moments}
        torch._foreach_add_([self.state[parameter]["step"] for _, parameter in stepping], 1)
        parameters = (Parameter * len(stepping))(*(self._describe(group, parameter) for group, parameter in stepping))
        count = len(parameters)
        sums = torch.empty(library.count_pieces(parameters, count), dtype=torch.float64)
        library.adamw(parameters, count, self.clip, sums.data_ptr(), torch.get_num_threads())

    def _describe(self, group: dict, parameter: torch.nn.Parameter) -> Parameter:
        """The arguments of the kernel for one parameter."""
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        steps = float(state["step"].numpy())
        gradient = parameter.grad
        assert gradient is not None
        return Parameter(
            *(parameter.data_ptr(), gradient.data_ptr()),
            *(state["exp_avg"].data_ptr(), state["exp_avg_sq"].data_ptr(), parameter.numel()),
            *(beta1, beta2, group["eps"]),
            decay=1 - group["lr"] * group["weight_decay"],
            rate=group["lr"] / (1 - beta1**steps),
            correction=(1 - beta2**steps) ** -0.5,
        )


def _is_supported(parameter: torch.nn.Parameter) -> bool:
    """Whether the kernel can update this parameter."""
    return all(
        tensor is not None and tensor.device.type == "cpu" and tensor.dtype == torch.float32 and tensor.is_contiguous()
        for tensor in (parameter, parameter.grad)
    )
