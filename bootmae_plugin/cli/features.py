"""What linear_probe.py and knn.py share: from config and checkpoint to features."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from mmengine.config import DictAction

    parser.add_argument('config', help='a config below configs/benchmarks/')
    parser.add_argument(
        'checkpoint', help="of the pretraining, or of its encoder; 'random': untrained"
    )
    parser.add_argument(
        '--pool',
        nargs='+',
        default=['avg'],
        help='avg, cls, cls+dist, flatten64, flatten66, ... (default: avg)',
    )
    parser.add_argument(
        '--block', type=int, default=-1, help='from 0; -1 is the last (default)'
    )
    parser.add_argument(
        '--cache', default='work_dirs/features', help='folder of the features'
    )
    parser.add_argument('--flip', action='store_true', help='add mirrored copies')
    parser.add_argument('--out', help='also write the figures into this .json')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')


def feature_sets(args: argparse.Namespace) -> dict:
    """A FeatureSet for every pooling asked for, from the cache where it is there."""
    import torch
    from mmengine.config import Config
    from mmpretrain.registry import DATASETS, MODELS

    from bootmae_plugin.checkpoints.load import load_encoder
    from bootmae_plugin.errors import check
    from bootmae_plugin.evaluation import FeatureSet, extract_features, load_features
    from bootmae_plugin.evaluation.features import cache_key

    check(
        Path(args.config).is_file(),
        f'config {args.config} does not exist: give one below configs/benchmarks/',
    )
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    splits = [cfg.get(f'{name}_dataloader') for name in ('train', 'test')]
    check(
        all(s is not None and s.dataset.type == 'InMemoryImages' for s in splits),
        f'{args.config} has no training and test set in memory (InMemoryImages): take '
        'one below configs/benchmarks/, or evaluate with tools/train.py',
    )
    torch.manual_seed(0)
    encoder = MODELS.build(dict(cfg.model.backbone, init_cfg=None, frozen_stages=-1))
    if args.checkpoint != 'random':
        load_encoder(encoder, args.checkpoint)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    encoder.to(device)
    # The config route's own, without augmentation: the same images by construction.
    normalisation = {**cfg.data_preprocessor, 'augment': None, 'batch_augments': None}
    preprocess = MODELS.build(normalisation).to(device)
    settings = dict(
        block=args.block,
        heads=encoder.blocks[0].attn.num_heads,  # no tensor's shape shows them
        normalisation=normalisation,
    )
    weights, parts = encoder.state_dict(), []
    for name, split in zip(('train', 'test'), splits, strict=True):
        data = DATASETS.build(split.dataset)
        images, labels = data.images, data.labels
        if args.flip and name == 'train':
            images = torch.cat([images, images.flip(-1)])
            labels = labels.repeat(2)
        features = load_features(
            args.cache,
            {p: cache_key(weights, images, pool=p, **settings) for p in args.pool},
            lambda pools, images=images, name=name: extract_features(
                encoder,
                images,
                lambda x: preprocess(dict(inputs=x))['inputs'],
                pools,
                args.block,
                note=f'features, {name}',
            ),
        )
        parts.append((features, labels))
    (train, train_labels), (test, test_labels) = parts
    return {
        pool: FeatureSet(train[pool], train_labels, test[pool], test_labels)
        for pool in args.pool
    }


def write_figures(path: str | None, figures: dict) -> None:
    """Write what was measured, by pooling, where the user asked for it."""
    import mmengine

    if path is not None:
        mmengine.dump(figures, path, file_format='json', indent=2)
        print(f'figures: {path}')
