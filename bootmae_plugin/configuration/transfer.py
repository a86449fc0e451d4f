"""Which shipped config goes on from the encoder of a run, and what it overrides."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import MODELS

from ..errors import check
from ..models.layers import resolve_arch
from .runs import Run, cache_of

FINETUNE = 'benchmarks/finetune/deit-tiny_folder.py'
LINEAR = 'benchmarks/linear/deit-tiny_folder.py'
SEGMENT = 'benchmarks/segmentation/deit-tiny_folder.py'
# Of a finetuning: steps at least, and the rate of a batch of 64 (docs/choosing.md).
MIN_STEPS, FINETUNE_LR = 1000, 1e-3
ENCODERS = {'deit': 'MaskedDeiT', 'vit': 'MaskedViT'}
# The blocks that a segmentation reads, as shares of the depth: 3, 5, 7 and 11 of 12.
LEVELS = (1 / 3, 1 / 2, 2 / 3, 1)
# What a later training takes from the encoder of a pretraining.
ENCODER_KEYS = ('type', 'arch', 'img_size', 'patch_size', 'in_channels', 'pos_embed')


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


def resized_encoder_of(run: Run, img_size: int | None) -> dict[str, Any]:
    """Return :func:`encoder_of`, its checkpoint, and a size of images.

    Args:
        run: The pretraining.
        img_size: Side of the images in pixels. The position embedding and the patches
            are resampled to it, as by ``bootmae pretrain --from``. None: as in the
            pretraining.

    Raises:
        UserError: if the size does not fit its patches.
    """
    options = {
        **encoder_of(run),
        'model.backbone.init_cfg.checkpoint': str(run.checkpoint.absolute()),
    }
    if img_size is None:
        return options | {'img_size': side_of(run)}
    return options | {
        'img_size': img_size,
        'model.backbone.img_size': img_size,
        'model.backbone.patch_size': patch_size_for(img_size),
        'model.backbone.init_cfg.resample_patches': True,
    }


def normalization_of(run: Run) -> dict[str, Any]:
    """Return overrides with the mean and the standard deviation of a run's images."""
    preprocessor = run.config.get('data_preprocessor') or {}
    preprocessor = {**preprocessor, **(run.config.model.get('data_preprocessor') or {})}
    keys = [key for key in ('mean', 'std') if key in preprocessor]
    return {f'data_preprocessor.{key}': list(preprocessor[key]) for key in keys}


def classification(
    run: Run,
    table: Path,
    splits: set[str],
    number: int,
    img_size: int | None = None,
) -> dict[str, Any]:
    """Return overrides of a benchmark config for labeled images.

    Args:
        run: The pretraining.
        table: Table of the labeled images.
        splits: The splits that it has.
        number: Number of classes.
        img_size: Side of the images in pixels. Defaults to that of the pretraining.
    """
    options = {
        'num_classes': number,
        **resized_encoder_of(run, img_size),
        **normalization_of(run),
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


def finetuning(
    base: Config, number: int, batch: int, epochs: int | None = None
) -> dict[str, Any]:
    """Return overrides that fit the length and the rate of a finetuning to the labels.

    There are at least :data:`MIN_STEPS` steps. The rate grows with the square root of
    the batch, while that of the config grows in proportion to it.

    Args:
        base: The inherited config.
        number: Number of training images.
        batch: Images in a step, at most ``number``.
        epochs: As given by the user, or None.
    """
    steps = number // batch  # in an epoch: a smaller last batch is dropped
    epochs = epochs or max(base.train_cfg.max_epochs, -(-MIN_STEPS // steps))
    return {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': -(-epochs // 10),
        # An epoch of few labels is a step or two.
        'default_hooks.checkpoint.interval': -(-epochs // 100),
        'optim_wrapper.optimizer.lr': FINETUNE_LR,
        'auto_scale_lr.base_batch_size': 64,
        'auto_scale_lr.rule': 'sqrt',
    }


def linear_layer(run: Run) -> dict[str, Any]:
    """Return overrides that put the linear layer on the mean of the patch tokens."""
    return {
        'model.backbone.out_type': 'avg',
        'model.neck.input_features': arch_of(run)['embed_dims'],
    }


def segmentation(
    run: Run, table: Path, scenes: Any, img_size: int | None = None
) -> dict[str, Any]:
    """Return overrides of :data:`SEGMENT` for scenes.

    Args:
        run: The pretraining.
        table: Table of the scenes.
        scenes: What :func:`~bootmae_plugin.preparation.scenes.read_scenes` found.
        img_size: Side of the training crops and of the windows of a prediction, in
            pixels. Defaults to that of the images of the pretraining.
    """
    encoder, arch = resized_encoder_of(run, img_size), arch_of(run)
    encoder['model.backbone.type'] = f'mmpretrain.{encoder["model.backbone.type"]}'
    size, patch = encoder['img_size'], encoder['model.backbone.patch_size']
    stride = max(size * 2 // 3 // patch, 1) * patch
    options = {
        'data_root': str(table.parent.absolute()),
        'classes': scenes.classes,
        'values': scenes.values,
        'num_classes': len(scenes.classes),
        'scale': scenes.size,
        'embed_dims': arch['embed_dims'],
        'crop_size': (size, size),
        'stride': (stride, stride),
        **encoder,
        **normalization_of(run),
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
