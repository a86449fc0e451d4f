"""Rounds in turns, and ratios within a round."""

import time
from collections.abc import Callable
from statistics import median

import torch

from .progress import Progress


def synchronize(device: str) -> None:
    """Wait until the device has finished what it was given."""
    if device != 'cpu':
        torch.accelerator.synchronize()


def measure_seconds(work: Callable[[], object], device: str = 'cpu') -> float:
    """Return the wall-clock seconds of one call."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def interleave(
    contestants: dict[str, Callable[[], float]],
    rounds: int,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Call the contestants in turns: A B C, A B C, ...

    Whatever else the machine does meanwhile, it does to all contestants alike.

    Args:
        contestants: Name -> a call that returns its own seconds. The first call of each
            warms up and is not counted.
        rounds: Number of counted calls of each.
        progress: Is told which round runs.

    Returns:
        Name -> what the calls returned, one number a round.
    """
    progress = progress or Progress.silent()
    times = {name: [] for name in contestants}
    for i in range(rounds + 1):
        progress.step(f'round {i} of {rounds}' if i else 'warming up')
        for name, work in contestants.items():
            progress.detail(name)
            taken = work()
            if i > 0:
                times[name].append(taken)
    return times


def rate_rows(
    times: dict[str, list[float]], count: int, base: str
) -> list[dict[str, object]]:
    """Return a table's rows: images/s of each contestant, and their ratio to a base.

    Args:
        times: Seconds of the rounds, by contestant.
        count: Images in a round.
        base: The contestant that the others are compared with.
    """
    return [
        {
            'step': name,
            'images/s': round(count / median(values)),
            f'x {base}': round(speedup(times, base, name), 2),
        }
        for name, values in times.items()
    ]


def speedup(times: dict[str, list[float]], base: str, other: str) -> float:
    """Return how many times faster ``other`` is than ``base``: the median of rounds."""
    pairs = zip(times[base], times[other], strict=True)
    return median(a / b for a, b in pairs)
