"""Which shipped config fits a folder of photos or an encoder, and what it overrides."""

import os
import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import MODELS

from ..checkpoints.load import read_sizes
from ..checkpoints.shipped import SCHEME
from ..errors import check
from ..models.layers import resolve_arch
from .runs import Run, open_run

# The recipe of bootmae pretrain; its twin -disk is for more images than fit in memory.
RECIPE = 'selfsup/bootmae-views_deit-tiny_folder'
FINETUNE = 'benchmarks/finetune/deit-tiny_folder.py'
LINEAR = 'benchmarks/linear/deit-tiny_folder.py'
SEGMENT = 'benchmarks/segmentation/deit-tiny_folder.py'
ENCODERS = {'deit': 'MaskedDeiT', 'vit': 'MaskedViT'}
# The blocks that a segmentation reads, as shares of the depth: 3, 5, 7 and 11 of 12.
LEVELS = (1 / 3, 1 / 2, 2 / 3, 1)
# What a later training takes from the encoder of a pretraining.
ENCODER_KEYS = ('type', 'arch', 'img_size', 'patch_size', 'in_channels', 'pos_embed')
SHARE_OF_MEMORY = 0.5
SHARE_OF_DISK = 0.5


def patch_size_for(img_size: int) -> int:
    """Return a patch size that gives about 8 to 16 patches a side.

    Raises:
        UserError: if the image size is no multiple of it.
    """
    patch = 4 if img_size <= 40 else 8 if img_size <= 128 else 16
    check(
        img_size >= 2 * patch and img_size % patch == 0,
        f'--size {img_size} must be a multiple of the patch size {patch}: give '
        f'{max(2, round(img_size / patch)) * patch}',
    )
    return patch


def fits_in_memory(number: int, img_size: int) -> bool:
    """Return whether so many images may be held in memory; True if unknown."""
    if not hasattr(os, 'sysconf'):  # Windows
        return True
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return 3 * img_size**2 * number < SHARE_OF_MEMORY * memory


def fits_on_disk(number: int, img_size: int, folder: Path) -> bool:
    """Return whether a cache of so many images may be written into a folder."""
    while not folder.is_dir():
        folder = folder.parent
    return 3 * img_size**2 * number < SHARE_OF_DISK * shutil.disk_usage(folder).free


def new_encoder(arch: str) -> dict[str, Any]:
    """Return overrides that train an architecture, such as 'deit-tiny', from scratch.

    Raises:
        UserError: if there is none of this name; the message lists all.
    """
    name = ENCODERS.get(arch.split('-')[0])
    zoos = [MODELS.get(known).arch_zoo for known in ENCODERS.values()]
    names = [key for zoo in zoos for key in zoo]
    check(arch in names, f'--arch {arch} is unknown: choose one of {", ".join(names)}')
    return {'model.backbone.type': name, 'model.backbone.arch': arch}


def start_from(weights: str, arch: str | None) -> dict[str, Any]:
    """Return overrides that start a pretraining from weights of any size of patches.

    Args:
        weights: Folder of a run, 'bootmae_plugin://NAME', or a checkpoint of this
            plugin, timm, MAE or mmpretrain, also as 'timm:PATH'.
        arch: Architecture that the user asked for. Defaults to that of the weights.

    Raises:
        UserError: if there are no weights, or they are of another architecture.
    """
    given = weights.removeprefix('timm:')
    path = Path(given)
    if path.is_dir() or given.startswith(SCHEME):
        run = open_run(given)
        path, encoder = run.checkpoint, encoder_of(run)
        kept = ('type', 'arch', 'pos_embed')
        options = {k: v for k, v in encoder.items() if k.split('.')[-1] in kept}
    else:
        check(
            path.is_file(),
            f'--from {weights} does not exist: give the folder of a run or a file; '
            "timm's weights: model.safetensors of the model on huggingface.co/timm",
        )
        options = _architecture_of(path)
    found = options.get('model.backbone.arch', 'deit-tiny')
    check(
        arch in (None, found),
        f'--arch {arch}, but the weights {weights} are of {found}: leave --arch out',
    )
    start = dict(
        type='Pretrained', checkpoint=str(path.absolute()), resample_patches=True
    )
    return options | {'model.backbone.init_cfg': start}


def _architecture_of(path: Path) -> dict[str, Any]:
    """Return the encoder class and the architecture of the weights in a file."""
    sizes = read_sizes(str(path))
    encoder = MODELS.get(ENCODERS['deit' if sizes.distilled else 'vit'])
    arch = dict(
        embed_dims=sizes.embed_dims,
        num_layers=sizes.num_layers,
        num_heads=max(sizes.embed_dims // 64, 1),
    )
    names = [name for name, known in encoder.arch_zoo.items() if known == arch]
    if not names or sizes.mlp_ratio != 4:
        arch |= dict(_delete_=True, mlp_ratio=sizes.mlp_ratio)
    else:
        arch = names[0]
    return {'model.backbone.type': encoder.__name__, 'model.backbone.arch': arch}


def pretraining(
    photos: Path,
    number: int,
    img_size: int,
    encoder: dict[str, Any],
    run: Path,
    skip_bad: bool = False,
) -> tuple[str, dict[str, Any], str]:
    """Return the config that pretrains on photos, its overrides, where photos are kept.

    They are decoded once into a cache on the disk, if the disk has room; otherwise at
    every start into memory, if they fit; otherwise in every epoch.

    Args:
        photos: Folder of the images.
        number: Number of the images.
        img_size: Side in pixels.
        encoder: Overrides of :func:`start_from` or :func:`new_encoder`.
        run: Folder of the run.
        skip_bad: Leave unreadable images out. Defaults to False.
    """
    options = {
        'data_root': str(photos.absolute()),
        'img_size': img_size,
        **encoder,
        'model.backbone.patch_size': patch_size_for(img_size),
    }
    if skip_bad:
        options['train_dataloader.dataset.on_error'] = 'skip'
    cache = cache_of(run)
    if fits_on_disk(number, img_size, cache):
        options['train_dataloader.dataset.cache'] = str(cache)
        return f'{RECIPE}.py', options, f'decoded once into {cache}'
    if fits_in_memory(number, img_size):
        return f'{RECIPE}.py', options, 'held in memory'
    check(
        not skip_bad,
        f'--skip-bad needs the images in a cache or in memory, but {number} of '
        f'{img_size}x{img_size} fit into neither: list the good ones with '
        'bootmae data folder --skip-bad',
    )
    return f'{RECIPE}-disk.py', options, 'read from disk in every epoch'


def cache_of(run: Path) -> Path:
    """Return the folder of decoded photos that the runs beside a run share."""
    return run.absolute().parent / 'pixels'


def limit_batch(base: Config, number: int, asked: int | None) -> int:
    """Return the batch size: as asked or of the config, at most the number of images.

    Args:
        base: The inherited config.
        number: Number of training images.
        asked: As given by the user, or None.
    """
    check(asked is None or asked > 0, f'--batch-size {asked}: give a number from 1')
    return min(asked or base.train_dataloader.batch_size, number)


def encoder_of(run: Run) -> dict[str, Any]:
    """Return overrides that give a later training the encoder of a run.

    Raises:
        UserError: if the run has no encoder of ours.
    """
    backbone = run.config.model.get('backbone', {})
    names = tuple(ENCODERS.values())
    check(
        str(backbone.get('type')).split('.')[-1] in names,
        f'{run.folder} has trained no encoder of this plugin: give a pretraining',
    )
    settings = {key: backbone[key] for key in ENCODER_KEYS if key in backbone}
    settings['type'] = settings['type'].split('.')[-1]
    if isinstance(settings.get('arch'), dict):
        settings['arch'] = dict(settings['arch'], _delete_=True)
    return {f'model.backbone.{key}': value for key, value in settings.items()}


def arch_of(run: Run) -> dict[str, Any]:
    """Return the sizes of the encoder of a run: ``embed_dims``, ``num_layers``, ..."""
    backbone = run.config.model.backbone
    encoder = MODELS.get(backbone.type.split('.')[-1])
    arch = backbone.get('arch', 'deit-tiny')
    return resolve_arch(arch, encoder.arch_zoo, backbone.type)


def side_of(run: Run) -> int:
    """Return the side of the images of the encoder of a run.

    Raises:
        UserError: if the images are not square.
    """
    size = run.config.model.backbone.img_size
    height, width = (size, size) if isinstance(size, int) else size
    check(
        height == width,
        f'{run.folder} was trained on images of {height}x{width}: this command needs '
        'square ones; write a config instead',
    )
    return height


def normalization_of(run: Run) -> dict[str, Any]:
    """Return overrides with the mean and the standard deviation of a run's images."""
    preprocessor = run.config.get('data_preprocessor') or {}
    preprocessor = {**preprocessor, **(run.config.model.get('data_preprocessor') or {})}
    keys = [key for key in ('mean', 'std') if key in preprocessor]
    return {f'data_preprocessor.{key}': list(preprocessor[key]) for key in keys}


def classification(run: Run, table: Path, splits: set[str], number: int) -> dict:
    """Return overrides of a benchmark config for labeled images.

    Args:
        run: The pretraining.
        table: Table of the labeled images.
        splits: The splits that it has.
        number: Number of classes.
    """
    size = side_of(run)
    options = {
        'num_classes': number,
        'img_size': size,
        **encoder_of(run),
        **normalization_of(run),
        'model.backbone.init_cfg.checkpoint': str(run.checkpoint.absolute()),
        'model.head.in_channels': arch_of(run)['embed_dims'],
    }
    held_out = 'val' if 'val' in splits else 'test'
    tested = 'test' if 'test' in splits else 'val'
    for loader, split in dict(train='train', val=held_out, test=tested).items():
        options[f'{loader}_dataloader.dataset.cache'] = str(cache_of(run.folder))
        options[f'{loader}_dataloader.dataset.source'] = dict(
            _delete_=True,
            type='LabeledImages',
            ann_file=str(table.absolute()),
            split=split,
        )
    return options


def linear_layer(run: Run) -> dict[str, Any]:
    """Return overrides that put the linear layer on the mean of the patch tokens."""
    return {
        'model.backbone.out_type': 'avg',
        'model.neck.input_features': arch_of(run)['embed_dims'],
    }


def segmentation(run: Run, table: Path, scenes: Any) -> dict[str, Any]:
    """Return overrides of :data:`SEGMENT` for scenes.

    Args:
        run: The pretraining.
        table: Table of the scenes.
        scenes: What :func:`~bootmae_plugin.preparation.scenes.read_scenes` found.
    """
    size, arch = side_of(run), arch_of(run)
    encoder = encoder_of(run)
    encoder['model.backbone.type'] = f'mmpretrain.{encoder["model.backbone.type"]}'
    patch = run.config.model.backbone.patch_size
    stride = max(size * 2 // 3 // patch, 1) * patch
    options = {
        'data_root': str(table.parent.absolute()),
        'classes': scenes.classes,
        'values': scenes.values,
        'num_classes': len(scenes.classes),
        'scale': scenes.size,
        'embed_dims': arch['embed_dims'],
        'img_size': size,
        'crop_size': (size, size),
        'stride': (stride, stride),
        **encoder,
        **normalization_of(run),
        'model.backbone.init_cfg.checkpoint': str(run.checkpoint.absolute()),
        'model.backbone.out_indices': [
            max(round(arch['num_layers'] * share) - 1, 0) for share in LEVELS
        ],
    }
    if patch < 8:  # half the usual scales: a patch has few pixels
        options['model.neck.rescales'] = [2, 1, 0.5, 0.25]
    splits = {row.split for row in scenes.rows}
    held_out = 'val' if 'val' in splits else 'test'
    options['val_dataloader.dataset.split'] = held_out
    tested = 'test' if 'test' in splits else held_out
    return options | {'test_dataloader.dataset.split': tested}
