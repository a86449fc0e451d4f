"""Timing side by side: interleaved rounds, medians, the machine's own limits."""

import resource
import time
from collections.abc import Callable
from statistics import median

import torch


def synchronize(device: str) -> None:
    if device != 'cpu':
        torch.accelerator.synchronize()


def seconds(work: Callable[[], None], device: str = 'cpu') -> float:
    """Wall-clock seconds of one call."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def interleave(
    contestants: dict[str, Callable[[], None]], rounds: int, device: str = 'cpu'
) -> dict[str, list[float]]:
    """Seconds of every call: A B C, A B C, ..., after one call of each to warm up.

    What else the machine does meanwhile meets all contestants alike.
    """
    for work in contestants.values():
        work()
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(seconds(work, device))
    return times


def ratio(times: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times faster: the median over the rounds of one run."""
    pairs = zip(times[slow], times[fast], strict=True)
    return median(a / b for a, b in pairs)


def matmul_rate(dtype: torch.dtype, device: str, rounds: int = 5) -> float:
    """FLOP/s of a large square matrix product."""
    size = 2048 if device == 'cpu' else 8192
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    work = {'product': lambda: torch.mm(a, b, out=out)}
    return 2 * size**3 / median(interleave(work, rounds, device)['product'])


def flops(step: Callable[[torch.Tensor], None], images: torch.Tensor) -> float:
    """FLOPs of a training step, counted by torch, for one image."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step(images)
    return counter.get_total_flops() / len(images)


def peak_memory(work: Callable[[], None], device: str) -> float:
    """MiB that the work adds to this process at most (on a GPU: in its memory)."""
    if device != 'cpu':
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() / 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
