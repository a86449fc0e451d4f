"""Check the installation: versions, devices, memory, and what is missing for what."""

import argparse
import contextlib
import importlib
import io
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import bootmae_plugin

from ..errors import UserError
from .outcome import make_parser, report_errors

PACKAGE = Path(bootmae_plugin.__file__).parent
# Rows and columns of a matrix product in a block of DeiT-Tiny: tokens, width, hidden.
PRODUCT = (256, 192, 768)
DTYPES = ('float32', 'bfloat16', 'float16')
# Optional packages, and what needs them.
OPTIONAL = {
    'mmseg': "bootmae segment: pip install 'bootmae_plugin[seg]'",
    'sklearn': "the bundled digits: pip install 'bootmae_plugin[demo]'",
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return make_parser('doctor', __doc__).parse_args(argv)


def required() -> Iterator[tuple[str, str]]:
    """Yield (package, version) of what every training needs.

    Raises:
        ImportError: for the first thing that cannot be imported.
    """
    for name in ('torch', 'torchvision', 'timm'):
        yield name, importlib.import_module(name).__version__
    bootmae_plugin.register()
    for name in bootmae_plugin.MINIMUM:
        yield name, sys.modules[name].__version__


def product_speeds(device: str, seconds: float = 0.4) -> dict[str, float]:
    """Measure matrix products of a ViT block's size in each precision.

    Args:
        device: 'cpu' or 'cuda'.
        seconds: Time for each precision; a slow product may take longer. Defaults to
            0.4.

    Returns:
        GFLOP/s by the name of the dtype; without those that the device refuses.
    """
    import torch
    from torch.utils.benchmark import Timer

    tokens, width, hidden = PRODUCT
    speeds = {}
    for name in DTYPES:
        a, b = (
            torch.ones(shape, dtype=getattr(torch, name), device=device)
            for shape in ((tokens, width), (width, hidden))
        )
        timer = Timer('a @ b', globals=dict(a=a, b=b))
        try:
            median = timer.blocked_autorange(min_run_time=seconds).median
        except RuntimeError:
            continue
        speeds[name] = 2 * tokens * width * hidden / median / 1e9
    return speeds


def precision(speeds: dict[str, float], bf16: bool) -> str:
    """Say which precision is fast, and how to train in it.

    Args:
        speeds: Of :func:`product_speeds`.
        bf16: Whether a training uses bfloat16 on this device by itself.
    """
    figures = ', '.join(f'{name} {speed:.1f}' for name, speed in speeds.items())
    slower = speeds.get('bfloat16', 0) < speeds['float32']
    advice = ''
    if bf16 and slower:
        advice = (
            '; float32 is faster here: --cfg-options optim_wrapper.type=OptimWrapper'
        )
    used = 'bfloat16' if bf16 else 'float32'
    return f'{figures} GFLOP/s; trainings use {used}{advice}'


def free_memory() -> str:
    """Return how much memory can still be used; '' if the system does not say."""
    with contextlib.suppress(OSError):  # Linux only
        for line in Path('/proc/meminfo').read_text().splitlines():
            if line.startswith('MemAvailable:'):
                return f', {int(line.split()[1]) / 2**20:.1f} free'
    return ''


def machine() -> Iterator[tuple[str, str]]:
    """Yield (what, finding) of the devices, the memory and the disk."""
    import torch

    from ..engine.autocast import has_bf16

    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        free = torch.cuda.mem_get_info(index)[0] / 2**30
        size = f'{gpu.total_memory / 2**30:.0f} GiB, {free:.1f} free'
        yield f'GPU {index}', f'{gpu.name}, {size}'
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu':
        yield 'GPU', 'none that this torch can use: the CPU trains'
    yield 'CPU', f'{os.cpu_count()} cores, torch uses {torch.get_num_threads()}'
    bf16 = has_bf16(device)
    yield 'bfloat16', 'yes' if bf16 else 'no: training in float32'
    yield 'speed', precision(product_speeds(device), bf16)
    if hasattr(os, 'sysconf'):  # not on Windows
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        yield 'memory', f'{memory / 2**30:.1f} GiB{free_memory()}'
    yield 'disk here', f'{shutil.disk_usage(".").free / 2**30:.1f} GiB free'


def optional() -> Iterator[tuple[str, str]]:
    """Yield (package, version, or what needs it) of the optional packages."""
    for name, purpose in OPTIONAL.items():
        try:
            yield name, importlib.import_module(name).__version__
        except ImportError as error:
            yield name, f'cannot be imported ({error}), needed for {purpose}'


def show(findings: Iterator[tuple[str, str]]) -> None:
    """Print findings as they come, without what the imported packages print."""
    while True:
        with contextlib.ExitStack() as quiet, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
            quiet.enter_context(contextlib.redirect_stderr(io.StringIO()))
            finding = next(findings, None)
        if finding is None:
            return
        print(f'{finding[0]:<16}{finding[1]}')


def examine(args: argparse.Namespace) -> None:
    print(f'{"bootmae_plugin":<16}{bootmae_plugin.__version__} in {PACKAGE}')
    print(f'{"Python":<16}{platform.python_version()} on {platform.platform()}')
    try:
        show(required())
    except ImportError as error:
        raise UserError(f'nothing can be trained: {error}') from error
    show(machine())
    show(optional())
    print('ready to train')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with report_errors(args):
        examine(args)
