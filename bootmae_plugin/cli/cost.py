"""What a pretraining costs: FLOPs, memory, network and time on G GPUs.

    python tools/cost.py configs/selfsup/bootmae_vit-base-p16_in1k.py --gpus 8
    python tools/cost.py CONFIG --gpus 64 --images 14197122 --tflops 400 --gbps 50

FLOPs are counted by torch on one step of the config's model; the rest follows from them
by the formulas in docs/scaling.md. It estimates, and measures no time: a GPU sustains
less on a small model, and the images have to come at that rate, too.
"""

import argparse

from .common import run
from .configs import load_config

IMAGENET = 1_281_167


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--gpus', type=int, default=8, help='default: 8')
    parser.add_argument(
        '--images', type=int, default=IMAGENET, help='of an epoch; default: ImageNet-1K'
    )
    parser.add_argument(
        '--tflops',
        type=float,
        default=400.0,
        help='that a GPU sustains in bfloat16; default: 400, of the 989 of an H100',
    )
    parser.add_argument(
        '--gbps',
        type=float,
        default=50.0,
        help='GB/s that a GPU sends to others; default: 50 (400 Gbit/s)',
    )
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def count(model, images: int) -> float:
    """FLOPs of forward and backward for an image, by torch's counter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def step(batch) -> None:
        # In bfloat16 attention is matrix products, which the counter knows.
        with torch.autocast('cpu', torch.bfloat16):
            losses = model.loss(batch)
        sum(v for k, v in losses.items() if k.startswith('loss')).backward()

    size = model.backbone.geometry.img_size
    channels = model.backbone.geometry.in_channels
    with FlopCounterMode(display=False) as counter:
        step(torch.randn(images, channels, *size))
    return counter.get_total_flops() / images


def stages_of(cfg, model) -> list[tuple[str, float]]:
    """(name, share of the epochs) of the stages that differ in what they compute."""
    from mmpretrain.registry import HOOKS

    hook = cfg.default_hooks.get('bootstrap')
    epochs = cfg.train_cfg.max_epochs
    starts = HOOKS.build(hook).starts(epochs) if hook else [0]
    if len(starts) == 1:
        return [('all', 1.0)]
    first = starts[1] / epochs
    return [('1', first), (f'2 to {len(starts)}', 1 - first)]


def estimate_cost(args: argparse.Namespace) -> None:
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS
    from rich.console import Console
    from rich.table import Table

    from bootmae_plugin.errors import check

    args.launcher, args.work_dir = 'none', None
    cfg = load_config(args)
    init_default_scope('mmpretrain')
    check(args.gpus >= 1, f'--gpus {args.gpus}: give a whole number from 1')
    check(
        cfg.model.get('type') == 'BootMAE',
        f'{args.config} is no pretraining config: give one of configs/selfsup/',
    )
    model = MODELS.build(cfg.model).train()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    batch = cfg.auto_scale_lr.base_batch_size
    table = Table(
        title=f'{args.config}\n{args.images:,} images, {args.gpus} GPUs of '
        f'{args.tflops:g} TFLOP/s'
    )
    for column in ('stage', 'GFLOP an image', 'images/s', 'hours'):
        table.add_column(column, justify='right')
    total = 0.0
    for name, share in stages_of(cfg, model):
        if name.startswith('2'):
            model.start_stage(2)
        each = count(model, 2)
        rate = args.gpus * args.tflops * 1e12 / each
        hours = share * cfg.train_cfg.max_epochs * args.images / rate / 3600
        total += hours
        table.add_row(name, f'{each / 1e9:.2f}', f'{rate:,.0f}', f'{hours:.2g}')
    table.add_row('', '', '', f'{total:.2g}', style='bold')
    Console().print(table)
    step = batch / rate
    sent = 2 * (args.gpus - 1) / args.gpus * 4 * trained
    whole, shard = 16 * trained + 4 * frozen, (16 * trained + 4 * frozen) / args.gpus
    print(
        f'trained {trained / 1e6:.1f} M, frozen {frozen / 1e6:.1f} M parameters\n'
        f'weights, gradients, AdamW: {whole / 2**30:.2f} GiB a GPU, sharded '
        f'{shard / 2**30:.2f}\n'
        f'a step of {batch} images: {step * 1e3:.0f} ms of computing; gradients: '
        f'{sent / 2**30:.2f} GiB sent by each GPU, {sent / args.gbps / 1e6:.0f} ms, '
        'beside the backward pass'
    )


def main(argv: list[str] | None = None) -> None:
    run(estimate_cost, parse_args(argv))
