"""AdamW as one call of torch's fused kernel.

torch.optim.AdamW with fused=True ends in the same call; on the way it loads torch's compiler, a second of every start,
and looks at every step for hooks that nobody has set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-8


@dataclass(slots=True)
class Moments:
    """Averages of the gradients and of their squares, one pair for each target, and how many steps they hold."""

    targets: list[Tensor]
    decay: float
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class AdamW:
    """Adam with decoupled decay. groups: targets with their weight decay each. betas: of the two averages."""

    def __init__(self, groups: Sequence[tuple[list[Tensor], float]], betas: tuple[float, float]) -> None:
        self.betas = betas
        self.groups = [
            Moments(
                targets=targets,
                decay=decay,
                first=[torch.zeros_like(target, memory_format=torch.preserve_format) for target in targets],
                second=[torch.zeros_like(target, memory_format=torch.preserve_format) for target in targets],
                steps=[torch.zeros((), dtype=torch.float32, device=target.device) for target in targets],
            )
            for targets, decay in groups
        ]

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Change every target in place. gradients: one for each, in the order of the groups."""
        begin = 0
        with torch.no_grad():
            for group in self.groups:
                end = begin + len(group.targets)
                if group.targets:
                    torch._foreach_add_(group.steps, 1)
                    torch._fused_adamw_(
                        group.targets, list(gradients[begin:end]), group.first, group.second, [], group.steps,
                        amsgrad=False, lr=rate, beta1=self.betas[0], beta2=self.betas[1], weight_decay=group.decay,
                        eps=EPSILON, maximize=False,
                    )  # fmt: skip
                begin = end

    def set_steps(self, steps: int) -> None:
        """Take the averages as those of so many steps."""
        for group in self.groups:
            for count in group.steps:
                count.fill_(float(steps))
