"""Read numbers of a training step without making a GPU wait."""

import torch
from torch import Tensor


def copy_to_host(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """Copy without waiting; return the copy and, on a GPU, the event that ends it."""
    if values.device.type != 'cuda':
        return values, None
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    return host, copied


class LateLog:
    """Return the logged values of the previous step.

    mmengine reads every logged value in every step. A value of the current step makes
    the CPU wait until the GPU has finished the step. The values of the previous step
    have been copied to the CPU in the meantime. On other devices than CUDA nothing is
    gained, and the values are the current ones.
    """

    def __init__(self) -> None:
        self._previous = None

    def __call__(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Exchange the values of this step for those of the previous step.

        The first step, and a step with other names than the previous one, gets its own
        values, and waits.

        Args:
            values: Name -> tensor of one number.

        Returns:
            Name -> 0-dimensional tensor; on the CPU if ``values`` are on a GPU.
        """
        stacked = torch.stack([v.detach().float().reshape(()) for v in values.values()])
        host, copied = copy_to_host(stacked)
        if copied is None:
            return dict(zip(values, host, strict=True))
        current = (list(values), host, copied)
        previous, self._previous = self._previous, current
        if previous is None or previous[0] != list(values):
            previous = current
        names, host, copied = previous
        copied.synchronize()  # done long ago, unless the values are the current ones
        return dict(zip(names, host, strict=True))
