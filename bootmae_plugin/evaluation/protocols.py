"""From a benchmark config and a checkpoint to the features that probes evaluate."""

import shlex
from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS
from torch import Tensor

from ..checkpoints.load import load_encoder
from ..errors import check
from ..hints import command
from .cache import cache_key, load_features
from .features import FeatureSet, extract_features
from .linear_probe import LinearResult
from .subsets import split_training_images

# Settings of the encoder that do not change its features, or that the key has anyway.
IRRELEVANT = (
    'init_cfg',
    'out_type',
    'out_indices',
    'frozen_stages',
    'drop_path_rate',
    'final_norm',
)
# What an attentive probe takes: all patch tokens.
PATCHES = 'flatten'


def feature_sets(
    cfg: Config,
    checkpoint: str,
    pools: Sequence[str] = ('avg',),
    block: int = -1,
    cache: str = 'work_dirs/features',
    flip: bool = False,
    split: str = 'test',
) -> dict[str, FeatureSet]:
    """Extract the features of a config's training and test images, or load them.

    Args:
        cfg: A benchmark config, whose data sets are held in memory
            (``InMemoryImages``). The images are normalized as it says and not
            augmented.
        checkpoint: Of the pretraining or of its encoder; 'random' for an untrained
            encoder, from ``cfg.randomness.seed``.
        pools: Poolings of the tokens, see :func:`extract_features`; 'attentive', the
            patch tokens (N, L, D) for a probe that learns to pool them; or 'pixels',
            the normalized pixels without the encoder.
        block: Block whose output is pooled. Defaults to -1, the last.
        cache: Folder of the :mod:`cache <bootmae_plugin.evaluation.cache>`.
        flip: Add a mirrored copy of each training image. Defaults to False.
        split: 'test', or 'val': a tenth of the training images, always the same, in
            place of the test images, which are not read. Defaults to 'test'.

    Returns:
        A FeatureSet for every pooling.

    Raises:
        UserError: if the data sets, the checkpoint, a pooling or the block do not fit.
    """
    names = ('train', 'test') if split == 'test' else ('train',)
    splits = [cfg.get(f'{name}_dataloader') for name in names]
    check(
        all(s is not None and s.dataset.type == 'InMemoryImages' for s in splits),
        f'{cfg.filename} has no training and test set in memory (InMemoryImages): '
        f'choose one of configs/benchmarks/, or evaluate with {command("train")}',
    )
    torch.manual_seed(cfg.get('randomness', {}).get('seed') or 0)
    backbone = dict(cfg.model.backbone, init_cfg=None, frozen_stages=-1)
    encoder = MODELS.build(backbone)
    if checkpoint != 'random':
        load_encoder(encoder, checkpoint)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    encoder.to(device)
    # The config's own preprocessor without augmentation gives the config's own input.
    normalization = {**cfg.data_preprocessor, 'augment': None, 'batch_augments': None}
    preprocess = MODELS.build(normalization).to(device)
    settings = dict(
        block=block,
        # No tensor shows the number of heads, for example.
        backbone={k: v for k, v in backbone.items() if k not in IRRELEVANT},
        normalization=normalization,
    )

    def normalize(images: Tensor) -> Tensor:
        return preprocess(dict(inputs=images))['inputs']

    features, labels = [], []
    for name, loader in zip(names, splits, strict=True):
        data = DATASETS.build(loader.dataset)
        images, copies = data.images, 1
        if flip and name == 'train':
            images, copies = torch.cat([images, images.flip(-1)]), 2
        labels.append(data.labels.repeat(copies))

        def extract(missing: list[str], images=images, name=name):
            return extract_features(
                encoder, images, normalize, missing, block, note=f'features, {name}'
            )

        stored = [PATCHES if p == 'attentive' else p for p in pools if p != 'pixels']
        keys = {
            pool: cache_key(encoder, preprocess, images, pool=pool, **settings)
            for pool in stored
        }
        found = load_features(cache, keys, extract)
        if 'attentive' in pools:
            size = (-1, encoder.embed_dims)
            found['attentive'] = found[PATCHES].unflatten(1, size)
        if 'pixels' in pools:
            batches = [normalize(part.to(device)).cpu() for part in images.split(500)]
            found['pixels'] = torch.cat(batches).flatten(1)
        features.append(found)
    if split == 'val':
        return {
            pool: split_training_images(features[0][pool], labels[0], 1 + flip)
            for pool in pools
        }
    (train, test), (train_labels, test_labels) = features, labels
    return {
        pool: FeatureSet(train[pool], train_labels, test[pool], test_labels)
        for pool in pools
    }


def training_command(
    config: str,
    checkpoint: str,
    pool: str,
    width: int,
    result: LinearResult,
    epochs: int = 90,
    optimizer: str = 'sgd',
    batch_size: int = 512,
    block: int = -1,
    cfg_options: dict | None = None,
) -> str:
    """Return the command that trains the layer of a linear probe.

    It encodes every image in every epoch, without augmentation, so its accuracy is the
    probe's up to the spread of the seeds.

    Args:
        config: Path of the config.
        checkpoint: See :func:`feature_sets`.
        pool: The pooling.
        width: Channels of the features.
        result: What the probe found: its learning rate and weight decay.
        epochs, optimizer, batch_size: As given to the probe.
        block: As given to :func:`feature_sets`.
        cfg_options: Further ``--cfg-options``.
    """
    start = {'model.backbone.init_cfg.checkpoint': checkpoint}
    if checkpoint == 'random':
        start = {'model.backbone.init_cfg': None}
    options = {
        **start,
        'model.backbone.out_type': pool,
        'model.backbone.out_indices': block,
        'model.neck.input_features': width,
        'model.head.in_channels': width,
        'data_preprocessor.augment': None,
        'train_dataloader.batch_size': batch_size,
        'train_cfg.max_epochs': epochs,
        'optim_wrapper.optimizer.type': optimizer.upper(),
        'optim_wrapper.optimizer.lr': result.rate,
        'optim_wrapper.optimizer.weight_decay': result.decay,
        **(cfg_options or {}),
    }
    words = [f'{key}={value}' for key, value in options.items()]
    return f'{command("train")} {shlex.join([config, "--cfg-options", *words])}'
