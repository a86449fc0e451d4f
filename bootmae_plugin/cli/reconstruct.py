"""Pictures of what a pixel branch makes of masked images.

Quadruplets (original, masked, reconstruction, reconstruction with the visible patches
pasted in) for image files, folders, or, without either, the config's training set; or a
sweep of the mask ratio (--sweep) on the first image.
"""

import argparse
from pathlib import Path

from .common import run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the pretraining')
    parser.add_argument('checkpoint', help='its checkpoint, as stage_1.pth')
    parser.add_argument('images', nargs='*', help='image files or folders')
    parser.add_argument('--out', default='work_dirs/reconstruct.png', help='picture')
    parser.add_argument('--number', type=int, default=8, help='of images (default: 8)')
    parser.add_argument('--mask-ratio', type=float, help="instead of the config's")
    parser.add_argument(
        '--sweep', action='store_true', help='mask ratios 0.1 ... 0.9 of one image'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the masks (default: 0)')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def read_images(paths: list[str], number: int, size: int):
    """(N, 3, size, size) uint8 from files and folders."""
    import numpy as np
    import torch

    from bootmae_plugin.datasets.in_memory import read_image
    from bootmae_plugin.errors import check
    from bootmae_plugin.preparation.folder import list_images

    files = []
    for path in map(Path, paths):
        check(path.exists(), f'{path} does not exist: give image files or folders')
        names = list_images(path) if path.is_dir() else []
        files += [path / name for name in names] if path.is_dir() else [path]
    check(bool(files), f'no image was found in {", ".join(paths)}')
    images = [
        read_image(dict(img_path=str(file)), (size, size)) for file in files[:number]
    ]
    bad = [image for image in images if not isinstance(image, np.ndarray)]
    check(not bad, f'an image cannot be read: {"; ".join(bad[:1])}')
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def reconstruct(args: argparse.Namespace) -> None:
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import DATASETS

    from bootmae_plugin.errors import check
    from bootmae_plugin.visualization import (
        load_model,
        save_mask_sweep,
        save_quadruplets,
    )

    check(
        Path(args.config).is_file(),
        f'config {args.config} does not exist: give the one that was trained',
    )
    check(args.number > 0, f'--number {args.number} must be positive')
    init_default_scope('mmpretrain')
    model = load_model(args.config, args.checkpoint)
    size = model.backbone.geometry.img_size[0]
    if args.images:
        images = read_images(args.images, args.number, size)
    else:
        cfg = Config.fromfile(args.config).train_dataloader.dataset
        check(
            cfg.type == 'InMemoryImages',
            'give image files or folders: only data sets held in memory can be shown '
            'without',
        )
        images = DATASETS.build(cfg).images[: args.number]
    if args.mask_ratio is not None:
        model.masking = type(model.masking)(args.mask_ratio)
        model.masking.check_grid(model.backbone.geometry.grid)
    torch.manual_seed(args.seed)
    save = save_mask_sweep if args.sweep else save_quadruplets
    print(f'picture: {save(model, images, args.out)}')


def main(argv: list[str] | None = None) -> None:
    run(reconstruct, parse_args(argv))
