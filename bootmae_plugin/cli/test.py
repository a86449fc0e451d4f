"""Test a checkpoint on the test set of the config that trained it."""

import argparse

import mmengine
from mmengine.evaluator import DumpResults
from mmpretrain.registry import RUNNERS

from ..configuration.configs import load_runner_config
from ..errors import check
from .common import add_common_arguments, run
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('test', __doc__)
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='file for predictions (.pkl) or metrics (.json)')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what --out holds (default: pred)',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (GPU)'
    )
    parser.add_argument('--show-dir', help='write pictures of the predictions here')
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every n-th sample (default: 1)'
    )
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    if args.out_item and not args.out:
        parser.error('--out-item needs --out FILE')
    return args


def test(args: argparse.Namespace) -> None:
    cfg = load_runner_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    # The encoder's weights are in the checkpoint; those of the pretraining are not
    # needed.
    if cfg.model.get('backbone', {}).get('init_cfg'):
        cfg.model.backbone.init_cfg = None
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show_dir:
        cfg.default_hooks.visualization.update(
            enable=True, out_dir=args.show_dir, interval=args.interval
        )
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.param_scheduler = None
    check(
        cfg.get('test_dataloader') is not None,
        f'{args.config} has no test_dataloader: a pretraining config has nothing to '
        'test; take one below configs/benchmarks/',
    )
    runner = RUNNERS.build(cfg)
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    metrics = runner.test()
    if args.out and args.out_item == 'metrics':
        mmengine.dump(metrics, args.out)


def main(argv: list[str] | None = None) -> None:
    run(test, parse_args(argv))
