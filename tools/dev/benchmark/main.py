"""Measure the speed of this plugin beside its peers, on this machine.

    python tools/benchmark.py                          # everything but quality
    python tools/benchmark.py steps stages             # some of it
    python tools/benchmark.py steps --device cuda --batch 512 1024 2048
    python tools/benchmark.py quality                  # time to equal quality

On 2 CPU cores that calculate in bfloat16 everything takes about 14 minutes, `steps`
alone 9; a machine that only emulates bfloat16 is measured in float32.

All contestants of a section are measured in one run, each in a process of its own, in
turns (A B C, A B C, ...), and the figures are medians; compare ratios, not images/s of
different runs. The limit of matrix products is measured in the same turns. Peers that
are not installed are left out (pip install lightly transformers). The tables go to the
terminal, and with all the times into OUT (default: work_dirs/benchmark.json).
"""

import argparse
import json
import os
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from bootmae_plugin.cli.common import run
from bootmae_plugin.cli.outcome import add_debug
from bootmae_plugin.errors import check

from .data_routes import measure_data
from .disk_routes import measure_disk
from .peers import SHAPES
from .processes import measure_processes
from .progress import Progress
from .quality import RATE, measure_quality
from .steps import measure_memory, measure_profile, measure_stages, measure_steps
from .whole_loop import measure_loop

SECTIONS = dict(
    steps=measure_steps,
    memory=measure_memory,
    profile=measure_profile,
    stages=measure_stages,
    data=measure_data,
    disk=measure_disk,
    loop=measure_loop,
    processes=measure_processes,
    quality=measure_quality,
)
LONG = ('quality',)  # only if it is named


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'sections',
        nargs='*',
        help=f'one or more of {", ".join(SECTIONS)}; default: all but quality',
    )
    parser.add_argument('--device', default='cpu', help="'cpu' (default) or 'cuda'")
    parser.add_argument(
        '--shape',
        default='deit-tiny',
        help=f'{" or ".join(SHAPES)} (default: deit-tiny)',
    )
    parser.add_argument(
        '--batch',
        type=int,
        nargs='+',
        default=[64, 128, 256],
        help='batch sizes to try; default: 64 128 256',
    )
    parser.add_argument('--rounds', type=int, default=7, help='default: 7')
    parser.add_argument('--threads', type=int, help="default: torch's")
    parser.add_argument('--no-compile', action='store_true', help='no compiled runs')
    parser.add_argument(
        '--out', default='work_dirs/benchmark.json', help='default: %(default)s'
    )
    quality = parser.add_argument_group('quality')
    quality.add_argument(
        '--config',
        default='bootmae-views_deit-tiny-d48_cifar10',
        help='our pretraining; default: %(default)s',
    )
    quality.add_argument(
        '--epochs', type=int, default=6, help="of mmpretrain's MAE; default: 6"
    )
    quality.add_argument(
        '--images', type=int, help='number of training images; default: all'
    )
    quality.add_argument(
        '--peer-rate',
        type=float,
        default=RATE,
        help="learning rate of mmpretrain's MAE for a batch of 256; default: "
        '%(default)s, as it ships',
    )
    add_debug(parser)
    return parser.parse_args(argv)


def show(result: dict) -> None:
    """Print the table of a section."""
    table = Table(title=result['title'], caption=result.get('note'))
    for key in result['rows'][0]:
        table.add_column(key, justify='left' if key == 'step' else 'right')
    for row in result['rows']:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def measure(args: argparse.Namespace) -> None:
    """Measure the sections, print their tables and write all times."""
    sections = args.sections or [name for name in SECTIONS if name not in LONG]
    for name in sections:
        check(name in SECTIONS, f'unknown section {name!r}: choose of {[*SECTIONS]}')
    check(args.shape in SHAPES, f'unknown shape {args.shape!r}: choose of {[*SHAPES]}')
    available = args.device == 'cpu' or torch.cuda.is_available()
    check(available, f'--device {args.device}: there is no GPU here, use --device cpu')
    if args.threads:
        torch.set_num_threads(args.threads)
    init_default_scope('mmpretrain')
    machine = dict(
        torch=torch.__version__, threads=torch.get_num_threads(), load=os.getloadavg()
    )
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in sections:
        with Progress(name) as progress:
            results[name] = SECTIONS[name](args, progress)
        show(results[name])
        out.write_text(json.dumps(dict(machine=machine, **results), indent=1))
    print(f'all times: {out}')


def main(argv: list[str] | None = None) -> None:
    """Run ``tools/benchmark.py`` with these words."""
    run(measure, parse_args(argv))
