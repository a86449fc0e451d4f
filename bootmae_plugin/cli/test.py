"""Test a checkpoint on the test set of the config that trained it."""

import argparse
import time

import mmengine
from mmengine import dist
from mmengine.evaluator import DumpResults
from mmpretrain.registry import RUNNERS

from ..configuration.configs import load_runner_config
from ..errors import check
from ..evaluation.results import Result, append_results, check_csv
from .common import add_common_arguments, run
from .outcome import given_command, make_parser


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
    parser.add_argument('--csv', help='append the metrics to this .csv file')
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
    args.command = given_command('test', argv)
    return args


def test(args: argparse.Namespace) -> None:
    if args.csv is not None:
        check_csv(args.csv)
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
    start = time.perf_counter()
    metrics = runner.test()
    if args.out and args.out_item == 'metrics':
        mmengine.dump(metrics, args.out)
    if args.csv is not None and dist.is_main_process():
        common = dict(
            config=args.config,
            checkpoint=args.checkpoint,
            pool=cfg.model.get('backbone', {}).get('out_type', ''),
            split='test',
            labels=None,
            seeds=(),
            seconds=time.perf_counter() - start,
            command=args.command,
        )
        rows = [
            Result(protocol=name, scores=(float(value),), **common)
            for name, value in metrics.items()
        ]
        append_results(args.csv, rows)


def main(argv: list[str] | None = None) -> None:
    run(test, parse_args(argv))
