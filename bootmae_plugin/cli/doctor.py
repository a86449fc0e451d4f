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


def machine() -> Iterator[tuple[str, str]]:
    """Yield (what, finding) of the devices, the memory and the disk."""
    import torch

    from ..engine.autocast import has_bf16

    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        yield f'GPU {index}', f'{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB'
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu':
        yield 'GPU', 'none that this torch can use: the CPU trains'
    yield 'CPU', f'{os.cpu_count()} cores, torch uses {torch.get_num_threads()}'
    yield (
        'bfloat16',
        'yes' if has_bf16(device) else 'no: training in float32',
    )
    if hasattr(os, 'sysconf'):  # not on Windows
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        yield 'memory', f'{memory / 2**30:.1f} GiB'
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
