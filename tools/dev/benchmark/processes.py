"""One process of one thread against two, whose gradients gloo averages."""

import argparse
import logging
import tempfile
import time
from functools import partial
from statistics import median

import torch
from mmengine.registry import init_default_scope

from bootmae_plugin.engine.autocast import has_bf16

from .contestant import make_step
from .peers import SHAPES
from .progress import Progress
from .remote import start_server
from .timing import speedup

BATCH = 128
PRODUCT = 'matrix product, '


def train_on_rank(rank: int, folder: str, shape: str, rounds: int, queue) -> None:
    """Run the rounds on one of two processes; rank 0 saves the seconds."""
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    images = torch.randn(BATCH, 3, 32, 32)
    alone = partial(make_step('ours', SHAPES[shape]), images)
    parallel = partial(make_step('ours', SHAPES[shape], parallel=True), images)
    a, b = torch.randn(2, 2048, 2048).to(
        torch.bfloat16 if has_bf16('cpu') else torch.float32
    )
    product = partial(torch.mm, a, b)
    work = {  # name -> (what runs, whether on both processes)
        '1 process': (alone, False),
        '2 processes': (parallel, True),
        f'{PRODUCT}1 process': (product, False),
        f'{PRODUCT}2 processes': (product, True),
    }
    times = {name: [] for name in work}
    for i in range(rounds + 1):
        if rank == 0:
            queue.put(f'round {i} of {rounds}' if i else 'warming up')
        for name, (call, both) in work.items():
            torch.distributed.barrier()
            start = time.perf_counter()
            if both or rank == 0:
                call()
            if i > 0:
                times[name].append(time.perf_counter() - start)
    if rank == 0:
        torch.save(times, f'{folder}/times.pt')
    torch.distributed.destroy_process_group()


def measure_processes(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure what a second process gains, beside what it gains for matrix products."""
    progress.step('starting 2 processes')
    with tempfile.TemporaryDirectory() as folder:
        queue = start_server().SimpleQueue()
        context = torch.multiprocessing.start_processes(
            train_on_rank,
            (folder, args.shape, args.rounds, queue),
            nprocs=2,
            join=False,
            start_method='forkserver',
        )
        while not context.join(timeout=0.2):
            while not queue.empty():
                progress.step(queue.get())
        times = torch.load(f'{folder}/times.pt', weights_only=True)
    rows = []
    for name in ('1 process', '2 processes'):
        share = {k: speedup(times, f'{k}1 process', k + name) for k in ('', PRODUCT)}
        count = int(name[0])
        rows.append(
            {
                'step': name,
                'images/s': round(count * BATCH / median(times[name])),
                'x 1 process': round(count * share[''], 2),
                'x, matrix products alone': round(count * share[PRODUCT], 2),
            }
        )
    title = f'processes of one thread, {args.shape}'
    return dict(title=title, rows=rows, times=times)
