"""Test a checkpoint with the config that trained it, on the config's test set."""

import argparse
import os

from _common import add_common_arguments, load_config, run, set_loader_defaults


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, or bootmae_plugin::benchmarks/...')
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
        '--interval', type=int, default=1, help='picture every n-th sample'
    )
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.out_item and not args.out:
        parser.error('--out-item needs --out FILE')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main(args: argparse.Namespace) -> None:
    import mmengine
    from mmengine.evaluator import DumpResults
    from mmpretrain.registry import RUNNERS

    from bootmae_plugin.checkpoints.read import read_checkpoint
    from bootmae_plugin.errors import check

    cfg = load_config(args)
    if args.cfg_options is not None:  # the same ones as in training do
        cfg.merge_from_dict(args.cfg_options)
    read_checkpoint(args.checkpoint)  # before the data is read
    cfg.load_from, cfg.resume = args.checkpoint, False
    # The encoder comes with the checkpoint, not from the pretraining.
    if cfg.model.get('backbone', {}).get('init_cfg'):
        cfg.model.backbone.init_cfg = None
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show_dir:
        cfg.default_hooks.visualization.update(
            enable=True, out_dir=args.show_dir, interval=args.interval
        )
    set_loader_defaults(cfg, 'test_dataloader', args)
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


if __name__ == '__main__':
    run(main, parse_args())
