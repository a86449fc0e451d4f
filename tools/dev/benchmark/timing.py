"""Timing side by side: interleaved rounds, medians, the machine's own limits."""

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
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
    contestants: dict[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """The seconds that each call gives: A B C, A B C, ..., after one to warm up.

    What else the machine does meanwhile meets all contestants alike.
    """
    for work in contestants.values():
        work()
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(work())
    return times


def ratio(times: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times faster: the median over the rounds of one run."""
    pairs = zip(times[slow], times[fast], strict=True)
    return median(a / b for a, b in pairs)


def matmul_rate(dtype: torch.dtype, device: str, rounds: int = 5) -> float:
    """FLOP/s of a large square matrix product; of a small one where that takes ages."""
    small, large = 256, 2048 if device == 'cpu' else 8192
    for size in (small, large):
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        work = partial(torch.mm, a, b, out=torch.empty_like(a))
        times = interleave({'product': partial(seconds, work, device)}, rounds)
        taken = median(times['product'])
        if taken * (large / small) ** 3 > 10:  # a type that this device emulates
            break
    return 2 * size**3 / taken


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
    Path('/proc/self/clear_refs').write_text('5')  # the peak is now what there is
    before = _resident('VmRSS')
    work()
    return _resident('VmHWM') - before


def _resident(field: str) -> float:
    """MiB of this process, which Linux counts anew for each; getrusage inherits."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{field}:')[1].split()[0]) / 2**10


KERNELS = {
    'matrix products': ('mm', 'addmm', 'bmm', 'baddbmm', 'convolution'),
    'copies and casts': ('copy_', 'cat', 'gather', 'index', 'scatter'),
    'GELU': ('gelu',),
    'softmax': ('_softmax',),
    'layer norm': ('native_layer_norm',),
    'sums, of gradients of biases': ('sum',),
    'optimiser': ('_fused_adamw_', '_foreach'),
}


def kernel_shares(work: Callable[[], None], device: str) -> dict[str, float]:
    """Share of the time of the work that each kind of torch's kernels takes."""
    kind = 'self_cpu_time_total' if device == 'cpu' else 'self_device_time_total'
    with torch.profiler.profile() as profile:
        work()
        synchronize(device)
    total, shares = 0.0, dict.fromkeys((*KERNELS, 'the rest'), 0.0)
    for event in profile.key_averages():
        spent = getattr(event, kind)
        name = event.key.removeprefix('aten::').removeprefix('mkldnn_')
        match = [k for k, prefixes in KERNELS.items() if name.startswith(prefixes)]
        shares[match[0] if match else 'the rest'] += spent
        total += spent
    return {name: spent / total for name, spent in shares.items()}


class Remote:
    """A contestant in a process of its own, where no other changes its memory.

    Args:
        module, name: Of what is called there, once, to give what is called in turns.
        *args: Its arguments.
    """

    def __init__(self, module: str, name: str, *args) -> None:
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['bootmae_plugin', 'mmpretrain.models'])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, module, name, args), daemon=True
        )
        self._process.start()

    def __call__(self, *args):
        self._pipe.send(args)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._process.terminate()
        self._process.join()


def _serve(pipe, module: str, name: str, args: tuple) -> None:
    # What the libraries print when they are imported; errors go through the pipe.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    work = None
    while True:
        call = pipe.recv()
        try:
            work = work or getattr(importlib.import_module(module), name)(*args)
            pipe.send(work(*call))
        except Exception as error:
            pipe.send(error)
