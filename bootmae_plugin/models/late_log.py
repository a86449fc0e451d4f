"""Values for the log that a GPU does not have to stop for."""

import torch
from torch import Tensor


class LateLog:
    """Hands out values of the step before, copied while the GPU worked on.

    mmengine reads every logged tensor in every step, and each reading waits for all
    kernels before it. Elsewhere than on CUDA the values are the step's own.
    """

    def __init__(self) -> None:
        self._kept = None

    def __call__(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Values of a step, each of one number -> those of the step before, on the CPU.

        The first step, and one with other names than the step before, gives its own.
        """
        stacked = torch.stack([v.detach().float().reshape(()) for v in values.values()])
        if stacked.device.type != 'cuda':
            return dict(zip(values, stacked, strict=True))
        host = torch.empty(len(stacked), pin_memory=True)
        host.copy_(stacked, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        last, self._kept = self._kept, (list(values), host, copied)
        if last is None or last[0] != list(values):
            last = self._kept
        names, host, copied = last
        copied.synchronize()
        return dict(zip(names, host, strict=True))
