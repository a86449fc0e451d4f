"""Which shipped config pretrains on a folder of photos, and what it overrides."""

import os
import shutil
from pathlib import Path
from typing import Any

from mmpretrain.registry import MODELS

from ..checkpoints.load import read_sizes
from ..checkpoints.shipped import SCHEME
from ..errors import check
from ..models.layers import resolve_arch
from .runs import cache_of, open_run
from .transfer import ENCODERS, encoder_of, patch_size_for

# The recipe of bootmae pretrain; its twin -disk is for more images than fit in memory.
RECIPE = 'selfsup/bootmae-views_deit-tiny_folder'
DECODER = 192  # width of its decoder
SHARE_OF_MEMORY = 0.5
SHARE_OF_DISK = 0.5


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


def decoder_for(encoder: dict[str, Any]) -> dict[str, Any]:
    """Return overrides that keep the decoder of a narrow encoder narrow.

    The decoder reads all patches and the encoder a quarter of them, so beside an
    encoder of 64 channels the decoder of :data:`RECIPE` takes nine tenths of a step.

    Args:
        encoder: Overrides of :func:`start_from` or :func:`new_encoder`.
    """
    name = encoder['model.backbone.type']
    arch = encoder.get('model.backbone.arch', 'deit-tiny')
    if isinstance(arch, dict):
        arch = {key: value for key, value in arch.items() if key != '_delete_'}
    sizes = resolve_arch(arch, MODELS.get(name).arch_zoo, name)
    width = sizes['embed_dims'] // 2 * 3  # three heads
    return {'model.neck.pixel.embed_dims': width} if width < DECODER else {}


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
        **decoder_for(encoder),
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
