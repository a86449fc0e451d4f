"""Training steps of this plugin and its peers: speed, memory, kernels, stages."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median

import torch

from bootmae_plugin.engine.autocast import has_bf16

from .contestant import make_step
from .counters import count_flops
from .peers import PEERS, SHAPES, is_installed
from .progress import Progress
from .remote import Remote
from .timing import interleave, speedup

# Steps of a turn. The first one pays for what the others left in the caches.
TURN = 3
DTYPES = dict(fp32='float32', bf16='bfloat16')


def contestants(args: argparse.Namespace) -> dict[str, dict]:
    """Return name -> arguments of ``make_step`` for the steps that are compared.

    A device that only emulates bfloat16 is measured in float32 alone, as it trains.
    """
    default = 'bf16' if has_bf16(args.device) else 'fp32'
    chosen = {}
    for peer in filter(is_installed, PEERS):
        both = peer in ('ours', 'mmpretrain')
        if both:
            chosen[f'{peer} fp32'] = dict(name=peer, bf16=False)
        chosen[f'{peer} {default}'] = dict(name=peer, bf16=default == 'bf16')
        if both and not args.no_compile:
            setup = chosen[f'{peer} {default}']
            chosen[f'{peer} {default} compiled'] = dict(setup, compile=True)
    return chosen


@contextmanager
def in_processes(
    setups: dict[str, dict], args: argparse.Namespace, limits: tuple[str, ...] = ()
) -> Iterator[dict[str, Remote]]:
    """Start a process for each step, and for the matrix product of each precision."""
    module, threads = 'dev.benchmark.contestant', torch.get_num_threads()
    remotes = {}
    with ExitStack() as stack:
        for name, setup in setups.items():
            given = (args.shape, args.device, threads, setup)
            remotes[name] = Remote(module, 'TrainingStep', *given)
            stack.callback(remotes[name].close)
        for name in limits:
            given = (DTYPES[name], args.device, threads)
            remotes[limit_of(name)] = Remote(module, 'MatrixProduct', *given)
            stack.callback(remotes[limit_of(name)].close)
        yield remotes


def limit_of(precision: str) -> str:
    """Return the name under which the matrix product of a precision is measured."""
    return f'matrix product {precision}'


def precision_of(step: str) -> str:
    """Return the precision that the name of a step contains."""
    return 'fp32' if 'fp32' in step else 'bf16'


def fastest_batches(
    steps: dict[str, Remote], batches: list[int], progress: Progress
) -> dict[str, int]:
    """Return the batch at which each step is fastest, by the best of two turns."""
    best = {}
    for name, step in steps.items():
        progress.step(f'fastest batch of {name}')
        # A compiled step would be compiled again for every size.
        sizes = (batches[-2:-1] or batches) if 'compiled' in name else batches
        rates = {}
        for size in sizes:
            progress.detail(f'batch {size}')
            step(size)
            rates[size] = size / min(step(size, TURN) for _ in range(2))
        best[name] = max(rates, key=rates.get)
    return best


def shares_of_limit(
    rates: dict[str, float], per_image: float, limits: dict[str, float]
) -> tuple[dict[str, int], str]:
    """Return the % of the matrix-product limit that each step reaches, and a warning.

    Args:
        rates: Step -> images/s.
        per_image: FLOPs of a step for one image.
        limits: Precision -> FLOP/s of matrix products.

    Returns:
        Step -> %, and one sentence if a step is above 100 %, else ''.
    """
    shares = {
        name: round(100 * rate * per_image / limits[precision_of(name)])
        for name, rate in rates.items()
    }
    wrong = [name for name, share in shares.items() if share > 100]
    if not wrong:
        return shares, ''
    return shares, (
        f'ERROR of the measurement: {", ".join(wrong)} above 100 %. Other programs '
        'slowed the matrix products down; run it again on an idle machine.'
    )


def measure_steps(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure forward, backward and optimizer step, each side at its best batch.

    The limit, a matrix product, is measured in the same turns; its best time counts.
    """
    shape = SHAPES[args.shape]
    progress.step('counting FLOPs')
    images = torch.randn(16, 3, shape.image, shape.image, device=args.device)
    per_image = count_flops(make_step('ours', shape, args.device), images)
    setups = contestants(args)
    precisions = tuple(dict.fromkeys(map(precision_of, setups)))
    with in_processes(setups, args, precisions) as remotes:
        steps = {name: remotes[name] for name in setups}
        best = fastest_batches(steps, args.batch, progress)
        turns = {k: partial(step, best[k], TURN) for k, step in steps.items()}
        limits = {name: remotes[name] for name in map(limit_of, precisions)}
        times = interleave(turns | limits, args.rounds, progress)
    each = {name: [t / best[name] for t in times[name]] for name in setups}
    speeds = {name: 1 / median(values) for name, values in each.items()}
    limits = {name: 1e9 / min(times[limit_of(name)]) for name in precisions}
    shares, warning = shares_of_limit(speeds, per_image, limits)
    bases = [f'mmpretrain {p}' for p in precisions if f'mmpretrain {p}' in each]
    rows = [
        {
            'step': name,
            'batch': best[name],
            'images/s': round(speeds[name]),
            **{f'x {base}': round(speedup(each, base, name), 2) for base in bases},
            '% of matmul limit': shares[name],
        }
        for name in setups
    ]
    note = f'{per_image / 1e9:.2f} GFLOP an image; matrix products here: ' + ', '.join(
        f'{name} {rate / 1e9:.0f} GFLOP/s' for name, rate in limits.items()
    )
    if 'bf16' not in precisions:
        note += f'; {args.device} emulates bfloat16, which is left out'
    note = '\n'.join(filter(None, (note, warning)))
    return dict(title=f'training step, {args.shape}', rows=rows, note=note, times=times)


def measure_memory(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure the peak memory of three steps at a batch of 512."""
    eager = {k: v for k, v in contestants(args).items() if 'compiled' not in k}
    rows = []
    for name, setup in eager.items():
        progress.step(name)
        with in_processes({name: setup}, args) as remotes:
            remotes[name](2)  # loads what every later step has, too
            peak = remotes[name](512, 3, 'memory')
        rows.append({'step': name, 'peak MiB': round(peak)})
    return dict(title=f'peak memory at a batch of 512, {args.shape}', rows=rows)


def measure_profile(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure the share of a step's time that each kind of kernel takes."""
    size = args.batch[len(args.batch) // 2]
    stages = {'stage 1': dict(name='ours'), 'stage 2': dict(name='ours', stage=2)}
    shares = {}
    for stage, setup in stages.items():
        progress.step(stage)
        with in_processes({stage: setup}, args) as remotes:
            remotes[stage](size, TURN)
            shares[stage] = remotes[stage](size, TURN, 'kernels')
    rows = [
        {'step': k, **{f'{s}, %': round(100 * shares[s][k], 1) for s in stages}}
        for k in shares['stage 1']
    ]
    return dict(title=f'time of a step by kernels, {args.shape}', rows=rows)


def measure_stages(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure steps with the teacher against one of stage 1, per masked view."""
    size = args.batch[len(args.batch) // 2]
    cross = dict(type='CrossMAEDecoder')
    runs = {  # name -> (views of an image, options)
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
    with in_processes(setups, args) as remotes:
        turns = {  # every turn has the same number of views
            k: partial(step, size // runs[k][0], TURN) for k, step in remotes.items()
        }
        times = interleave(turns, args.rounds, progress)
    rows = [
        {
            'step': name,
            'views/s': round(size / median(values)),
            'x stage 1': round(speedup(times, 'stage 1', name), 2),
        }
        for name, values in times.items()
    ]
    return dict(title=f'stages, {args.shape}', rows=rows, times=times)
