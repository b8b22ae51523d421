"""AdamW with clipping; on a CPU by kernels, which go through all parameters in one pass."""

import torch

from stilts_core.cpu.kernels import Parameter, kernels


class AdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW, which before each step makes the gradients together no longer than `clip`."""

    def __init__(self, groups: list[dict], *, clip: float, **options):
        super().__init__(groups, fused=True, **options)
        self.clip = clip

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient."""
        stepping = [
            (group, parameter)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if all(_fits(parameter) for _, parameter in stepping) and kernels().library:
            self._step_by_kernels(stepping)
            return
        norm = torch.nn.utils.get_total_norm([parameter.grad for _, parameter in stepping], foreach=True)
        # What the fused step divides gradients by: so clipping needs no pass over them of its own.
        self.grad_scale = (norm / self.clip).clamp(min=1.0)
        super().step()

    def _step_by_kernels(self, stepping: list[tuple[dict, torch.nn.Parameter]]) -> None:
        for _, parameter in stepping:
            if not self.state[parameter]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                self.state[parameter] = {"step": torch.zeros(()), **moments}
        torch._foreach_add_([self.state[parameter]["step"] for _, parameter in stepping], 1)
        parameters = (Parameter * len(stepping))(*(self._of(group, parameter) for group, parameter in stepping))
        library, count = kernels().library, len(parameters)
        sums = torch.empty(library.pieces(parameters, count), dtype=torch.float64)
        library.adamw(parameters, count, self.clip, sums.data_ptr(), torch.get_num_threads())

    def _of(self, group: dict, parameter: torch.nn.Parameter) -> Parameter:
        """What the kernel needs of a parameter."""
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        steps = float(state["step"].numpy())
        return Parameter(
            *(parameter.data_ptr(), parameter.grad.data_ptr()),
            *(state["exp_avg"].data_ptr(), state["exp_avg_sq"].data_ptr(), parameter.numel()),
            *(beta1, beta2, group["eps"]),
            kept=1 - group["lr"] * group["weight_decay"],
            rate=group["lr"] / (1 - beta1**steps),
            root=(1 - beta2**steps) ** -0.5,
        )


def _fits(parameter: torch.nn.Parameter) -> bool:
    """Whether there is a kernel for this parameter and its gradient."""
    return all(
        tensor.device.type == "cpu" and tensor.dtype == torch.float32 and tensor.is_contiguous()
        for tensor in (parameter, parameter.grad)
    )
