"""Count FLOPs, peak memory and the shares of the kernels."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from .timing import synchronize

KERNELS = {
    'matrix products': ('mm', 'addmm', 'bmm', 'baddbmm', 'convolution'),
    'copies and casts': ('copy_', 'cat', 'gather', 'index', 'scatter'),
    'GELU': ('gelu',),
    'softmax': ('_softmax',),
    'layer norm': ('native_layer_norm',),
    'sums, of gradients of biases': ('sum',),
    'optimizer': ('_fused_adamw_', '_foreach'),
}


def count_flops(step: Callable[[Tensor], None], images: Tensor) -> float:
    """Return the FLOPs of a training step for one image, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step(images)
    return counter.get_total_flops() / len(images)


def measure_peak_memory(work: Callable[[], None], device: str) -> float:
    """Return the MiB that the work adds at most to this process, or to the GPU."""
    if device != 'cpu':
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() / 2**20
    # Linux then counts the peak from here on. getrusage inherits the parent's peak.
    Path('/proc/self/clear_refs').write_text('5')
    before = _resident_mib('VmRSS')
    work()
    return _resident_mib('VmHWM') - before


def _resident_mib(field: str) -> float:
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{field}:')[1].split()[0]) / 2**10


def measure_kernel_shares(work: Callable[[], None], device: str) -> dict[str, float]:
    """Return the share of the work's time that each kind of torch's kernels takes."""
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
