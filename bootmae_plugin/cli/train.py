"""Train from a config: pretraining, linear evaluation, finetuning, segmentation."""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmpretrain.registry import RUNNERS

from ..configuration.configs import load_runner_config
from ..reliability.runner import AUTO
from .common import add_common_arguments, run
from .outcome import given_command, make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('train', __doc__)
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=AUTO,
        help='continue from the given checkpoint; without one, from the newest in the '
        'work dir, or else start',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='bfloat16 autocast on any device (on in most of our configs)',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch (on in our configs)',
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='restart the data-loader workers every epoch',
    )
    add_common_arguments(parser)
    return parser.parse_args(argv)


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the options of the command line into the config."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        cfg.optim_wrapper.type = 'mmpretrain.Bf16OptimWrapper'
    if args.resume == AUTO:
        cfg.resume = AUTO
    elif args.resume is not None:
        cfg.resume, cfg.load_from = True, args.resume
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True


def train(args: argparse.Namespace) -> None:
    cfg = load_runner_config(args)
    merge_args(cfg, args)
    cfg.work_dir = str(Path(cfg.work_dir))
    runner = RUNNERS.build(cfg)
    args.log_dir = runner.log_dir
    runner.logger.info(f'command: {args.command}')  # for people, and for the report
    runner.train()


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    args.command = given_command('train', argv)
    run(train, args)
