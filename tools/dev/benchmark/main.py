"""Measure the speed of this plugin beside its peers, on this machine.

    python tools/benchmark.py                          # everything, about 10 minutes
    python tools/benchmark.py steps stages             # some of it
    python tools/benchmark.py steps --device cuda --batch 512 1024 2048

All contestants of a section are measured in one run, each in a process of its own, in
turns (A B C, A B C, ...), and the figures are medians; compare ratios, not images/s of
different runs. Peers that are not installed are left out (pip install lightly
transformers). The tables go to the terminal, and with all the times into OUT (default:
work_dirs/benchmark.json).
"""

import argparse
import json
import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from bootmae_plugin.cli.common import run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sections', nargs='*', help=f'of {[*SECTIONS]} (default: all)')
    parser.add_argument('--device', default='cpu', help="'cpu' (default) or 'cuda'")
    parser.add_argument('--shape', default='deit-tiny', help='deit-tiny-d48: the small')
    parser.add_argument('--batch', type=int, nargs='+', default=[64, 128, 256])
    parser.add_argument('--rounds', type=int, default=7, help='default: 7')
    parser.add_argument('--threads', type=int, help="default: torch's")
    parser.add_argument('--no-compile', action='store_true', help='no compiled runs')
    parser.add_argument('--out', default='work_dirs/benchmark.json')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def contestants(args) -> dict[str, dict]:
    """Name -> arguments of make_step, for the comparison of whole steps."""
    from .peers import PEERS, installed

    chosen = {}
    for peer in filter(installed, PEERS):
        if peer in ('ours', 'mmpretrain'):
            chosen[f'{peer} fp32'] = dict(name=peer, bf16=False)
        chosen[f'{peer} bf16'] = dict(name=peer)
        if peer in ('ours', 'mmpretrain') and not args.no_compile:
            chosen[f'{peer} bf16 compiled'] = dict(name=peer, compile=True)
    return chosen


# Steps of a turn: what the others left in the caches costs the first one.
TURN = 3


@contextmanager
def processes_of(setups: dict[str, dict], args):
    """Each contestant in a process of its own, waiting for its turn."""
    import torch

    from .timing import Remote

    threads = torch.get_num_threads()
    chosen = {
        name: Remote(
            'dev.benchmark.peers', 'Contestant', args.shape, args.device, threads, setup
        )
        for name, setup in setups.items()
    }
    try:
        yield chosen
    finally:
        for contestant in chosen.values():
            contestant.close()


def fastest(contestants: dict, args) -> dict[str, int]:
    """The batch at which each contestant is fastest, by two turns of each."""
    best = {}
    for name, contestant in contestants.items():
        # A compiled step would be compiled again for every size.
        sizes = args.batch[-2:-1] if 'compiled' in name else args.batch
        rates = {}
        for size in sizes or args.batch:
            contestant(size)
            rates[size] = size / min(contestant(size, TURN) for _ in range(2))
        best[name] = max(rates, key=rates.get)
    return best


def measure_steps(args) -> dict:
    """Forward, backward and optimiser step, each side at its best batch."""
    import torch

    from .peers import SHAPES, make_step
    from .timing import flops, interleave, matmul_rate, ratio

    shape = SHAPES[args.shape]
    rates = {k: matmul_rate(getattr(torch, k), args.device) for k in LIMITS.values()}
    images = torch.randn(16, 3, shape.image, shape.image, device=args.device)
    per_image = flops(make_step('ours', shape, args.device), images)
    with processes_of(contestants(args), args) as chosen:
        best = fastest(chosen, args)
        turns = {k: partial(c, best[k], TURN) for k, c in chosen.items()}
        times = interleave(turns, args.rounds)
    each = {k: [t / best[k] for t in values] for k, values in times.items()}
    rows = []
    for name, values in each.items():
        limit = rates[LIMITS['fp32' if 'fp32' in name else 'bf16']]
        speed = 1 / median(values)
        rows.append(
            {
                'step': name,
                'batch': best[name],
                'images/s': round(speed),
                'x mmpretrain fp32': round(ratio(each, 'mmpretrain fp32', name), 2),
                'x mmpretrain bf16': round(ratio(each, 'mmpretrain bf16', name), 2),
                '% of matmul limit': round(100 * speed * per_image / limit),
            }
        )
    note = f'{per_image / 1e9:.2f} GFLOP an image; matrix products here: ' + ', '.join(
        f'{k} {v / 1e9:.0f} GFLOP/s' for k, v in rates.items()
    )
    return dict(title=f'training step, {args.shape}', rows=rows, note=note, times=times)


LIMITS = dict(fp32='float32', bf16='bfloat16')


def measure_memory(args) -> dict:
    """Peak memory of three steps at a batch of 512."""
    eager = {k: v for k, v in contestants(args).items() if 'compiled' not in k}
    rows = []
    for name, setup in eager.items():
        with processes_of({name: setup}, args) as chosen:
            chosen[name](2)  # what a first step loads is not the batch's
            rows.append(
                {'step': name, 'peak MiB': round(chosen[name](512, 3, 'memory'))}
            )
    return dict(title=f'peak memory at a batch of 512, {args.shape}', rows=rows)


def measure_profile(args) -> dict:
    """What the time of a step goes into, as it is by default and with its teacher."""
    size = args.batch[len(args.batch) // 2]
    stages = {'stage 1': dict(name='ours'), 'stage 2': dict(name='ours', stage=2)}
    shares = {}
    for stage, setup in stages.items():
        with processes_of({stage: setup}, args) as chosen:
            chosen[stage](size, TURN)
            shares[stage] = chosen[stage](size, TURN, 'kernels')
    rows = [
        {'step': k, **{f'{s}, %': round(100 * shares[s][k], 1) for s in stages}}
        for k in shares['stage 1']
    ]
    return dict(title=f'time of a step by kernels, {args.shape}', rows=rows)


def measure_stages(args) -> dict:
    """A step with the teacher against one of stage 1, for each masked view."""
    from .timing import interleave, ratio

    size = args.batch[len(args.batch) // 2]
    cross = dict(type='CrossMAEDecoder')
    runs = {
        'stage 1': (1, {}),
        'stage 2': (1, dict(stage=2)),
        'stage 2, 4 masks an image': (4, dict(stage=2, views=4)),
        'stage 1, CrossMAE decoder': (1, cross),
        'stage 1, CrossMAE, predict_ratio 1/3': (1, dict(cross, predict_ratio=1 / 3)),
    }
    setups = {
        k: dict(options, name='ours', compile=not args.no_compile)
        for k, (_, options) in runs.items()
    }
    with processes_of(setups, args) as chosen:
        turns = {  # as many views in each
            k: partial(c, size // runs[k][0], TURN) for k, c in chosen.items()
        }
        times = interleave(turns, args.rounds)
    rows = [
        {
            'step': name,
            'views/s': round(size / median(values)),
            'x stage 1': round(ratio(times, 'stage 1', name), 2),
        }
        for name, values in times.items()
    ]
    return dict(title=f'stages, {args.shape}', rows=rows, times=times)


def measure_data(args) -> dict:
    from .loops import data_routes

    return data_routes(args.rounds)


def measure_loop(args) -> dict:
    from .loops import runner_loops

    return runner_loops(args.rounds)


def measure_processes(args) -> dict:
    from .loops import processes

    return processes(args.shape, args.rounds)


SECTIONS = dict(
    steps=measure_steps,
    memory=measure_memory,
    profile=measure_profile,
    stages=measure_stages,
    data=measure_data,
    loop=measure_loop,
    processes=measure_processes,
)


def show(result: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=result['title'], caption=result.get('note'))
    for key in result['rows'][0]:
        table.add_column(key, justify='left' if key == 'step' else 'right')
    for row in result['rows']:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def measure(args: argparse.Namespace) -> None:
    import torch
    from mmengine.registry import init_default_scope

    import bootmae_plugin  # noqa: F401
    from bootmae_plugin.errors import check

    from .peers import SHAPES

    sections = args.sections or list(SECTIONS)
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
        print(f'{name} ...', file=sys.stderr, flush=True)
        results[name] = SECTIONS[name](args)
        show(results[name])
        out.write_text(json.dumps(dict(machine=machine, **results), indent=1))
    print(f'all times: {out}')


def main(argv: list[str] | None = None) -> None:
    run(measure, parse_args(argv))
