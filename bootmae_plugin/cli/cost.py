"""Estimate what a pretraining costs: FLOPs, memory, network traffic, hours.

    %(prog)s bootmae-eccv_vit-base-p16_in1k --gpus 8
    %(prog)s CONFIG --gpus 64 --images 14197122 --tflops 400 --gbps 50

torch counts the FLOPs of one step of the config's model; the other figures follow from
them by the formulas in docs/scaling.md. Nothing is timed: a GPU sustains fewer FLOP/s
on a small model, and the images have to be loaded as fast as they are used.
"""

import argparse
from itertools import groupby

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import HOOKS, MODELS
from rich.console import Console
from rich.table import Table

from ..configuration.configs import load_config
from ..errors import check
from ..flops import stage_costs
from .common import add_config_options, run
from .outcome import make_parser

IMAGENET = 1_281_167  # training images of ImageNet-1K


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('cost', __doc__)
    parser.add_argument('config', help='config of a pretraining')
    parser.add_argument('--gpus', type=int, default=8, help='default: 8')
    parser.add_argument(
        '--images',
        type=int,
        default=IMAGENET,
        help='images per epoch; default: ImageNet-1K',
    )
    parser.add_argument(
        '--tflops',
        type=float,
        default=400.0,
        help='TFLOP/s that a GPU sustains in bfloat16; default: 400, of the 989 of an '
        'H100',
    )
    parser.add_argument(
        '--gbps',
        type=float,
        default=50.0,
        help='GB/s that a GPU sends to others; default: 50 (400 Gbit/s)',
    )
    add_config_options(parser)
    return parser.parse_args(argv)


def stage_rows(cfg: Config) -> list[tuple[str, float, float]]:
    """(name, epochs, FLOPs per image) of the stages; equal neighbors are one row."""
    hook = cfg.default_hooks.get('bootstrap')
    epochs = cfg.train_cfg.max_epochs
    starts = [*(HOOKS.build(hook).starts(epochs) if hook else [0]), epochs]
    costs = stage_costs(cfg.model, len(starts) - 1)
    rows = []
    for flops, stages in groupby(range(len(costs)), key=lambda stage: costs[stage]):
        first, *_, last = [*stages] * 2
        name = f'{first + 1} to {last + 1}' if last > first else f'{first + 1}'
        rows.append((name, starts[last + 1] - starts[first], flops))
    return [('all', *rows[0][1:])] if len(rows) == 1 else rows


def estimate_cost(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmpretrain')
    check(args.gpus >= 1, f'--gpus {args.gpus}: give a whole number from 1')
    check(
        cfg.model.get('type') == 'BootMAE',
        f'{args.config} is no pretraining config: give one of configs/selfsup/',
    )
    model = MODELS.build(cfg.model).train()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    table = Table(
        title=f'{args.config}\n{args.images:,} images, {args.gpus} GPUs of '
        f'{args.tflops:g} TFLOP/s'
    )
    for column in ('stage', 'GFLOP per image', 'images/s', 'hours'):
        table.add_column(column, justify='right')
    total = 0.0
    for name, epochs, flops in stage_rows(cfg):
        rate = args.gpus * args.tflops * 1e12 / flops
        hours = epochs * args.images / rate / 3600
        total += hours
        table.add_row(name, f'{flops / 1e9:.2f}', f'{rate:,.0f}', f'{hours:.2g}')
    table.add_row('', '', '', f'{total:.2g}', style='bold')
    Console().print(table)
    batch = cfg.auto_scale_lr.base_batch_size
    sent = 2 * (args.gpus - 1) / args.gpus * 4 * trained  # a ring all-reduce, float32
    memory = 16 * trained + 4 * frozen
    print(
        f'parameters: {trained / 1e6:.1f} M trained, {frozen / 1e6:.1f} M frozen\n'
        f'weights, gradients and AdamW: {memory / 2**30:.2f} GiB per GPU, sharded '
        f'{memory / args.gpus / 2**30:.2f}\n'
        f'a step of {batch} images: {batch / rate * 1e3:.0f} ms of computing; '
        f'gradients: each GPU sends {sent / 2**30:.2f} GiB in '
        f'{sent / args.gbps / 1e6:.0f} ms, during the backward pass'
    )


def main(argv: list[str] | None = None) -> None:
    run(estimate_cost, parse_args(argv))
