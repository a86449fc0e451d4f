"""Linear evaluation in minutes: features once, then the linear layer alone.

Learning rate and weight decay are chosen on a tenth of the training images; the test
images are looked at once a seed. The slow route, which encodes every image every epoch,
is tools/train.py; --commands prints its command for the same training.
"""

import argparse
import shlex

from .common import run
from .features import add_arguments, feature_sets, write_figures


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument('--epochs', type=int, default=90, help='default: 90')
    parser.add_argument('--seeds', type=int, default=3, help='default: 3')
    parser.add_argument('--batch-size', type=int, default=512, help='default: 512')
    parser.add_argument(
        '--optimiser',
        default='sgd',
        help="sgd (default), or lars, the DeiT-Tiny / CIFAR-10 report's",
    )
    parser.add_argument(
        '--lr', type=float, nargs='+', help='to choose from, of a batch of 512'
    )
    parser.add_argument('--weight-decay', type=float, nargs='+', help='to choose from')
    parser.add_argument(
        '--search-epochs',
        type=int,
        help='of each choice (default: a third of --epochs, at most 90)',
    )
    parser.add_argument(
        '--commands', action='store_true', help='print the ones of the slow route'
    )
    return parser.parse_args(argv)


def command(args: argparse.Namespace, pool: str, width: int, result) -> str:
    """The same training by tools/train.py, without augmentation."""
    start = {'model.backbone.init_cfg.checkpoint': args.checkpoint}
    if args.checkpoint == 'random':
        start = {'model.backbone.init_cfg': None}
    options = {
        **start,
        'model.backbone.out_type': pool,
        'model.backbone.out_indices': args.block,
        'model.neck.input_features': width,
        'model.head.in_channels': width,
        'data_preprocessor.augment': None,
        'train_dataloader.batch_size': args.batch_size,
        'train_cfg.max_epochs': args.epochs,
        'optim_wrapper.optimizer.type': args.optimiser.upper(),
        'optim_wrapper.optimizer.lr': result.rate,
        'optim_wrapper.optimizer.weight_decay': result.decay,
        **(args.cfg_options or {}),
    }
    words = [f'{key}={value}' for key, value in options.items()]
    return shlex.join(
        ['python', 'tools/train.py', args.config, '--cfg-options', *words]
    )


def evaluate_linear(args: argparse.Namespace) -> None:
    import torch
    from mmengine.registry import init_default_scope
    from rich.console import Console
    from rich.table import Table

    from bootmae_plugin.errors import check
    from bootmae_plugin.evaluation import FeatureSet, linear_probe
    from bootmae_plugin.evaluation.linear_probe import DECAYS

    for name in ('epochs', 'seeds', 'batch_size', 'search_epochs'):
        value, option = getattr(args, name), name.replace('_', '-')
        check(value is None or value > 0, f'--{option} {value} must be positive')
    init_default_scope('mmpretrain')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    table = Table(
        title=f'Linear top-1 (%), {args.seeds} seeds, {args.epochs} epochs of '
        f'{args.optimiser.upper()}'
    )
    for column in ('pool', 'width', 'test', 'held out', 'lr', 'weight decay'):
        table.add_column(column, justify='left' if column == 'pool' else 'right')
    commands, figures = [], {}
    for pool, data in feature_sets(args).items():
        width = data.train.shape[1]
        result = linear_probe(
            FeatureSet(*(tensor.to(device) for tensor in data)),
            args.epochs,
            range(args.seeds),
            args.lr,
            args.weight_decay or DECAYS,
            args.search_epochs,
            copies=1 + args.flip,
            optimiser=args.optimiser,
            batch_size=args.batch_size,
        )
        table.add_row(
            pool,
            str(width),
            f'{result.mean:.2f} ± {result.std:.2f}',
            f'{result.held_out:.2f}',
            f'{result.rate:g}',
            f'{result.decay:g}',
        )
        figures[pool] = result._asdict()
        commands.append(command(args, pool, width, result))
    Console().print(table)
    write_figures(args.out, figures)
    if args.commands:
        print(*commands, sep='\n')


def main(argv: list[str] | None = None) -> None:
    run(evaluate_linear, parse_args(argv))
