"""Draw what a pixel branch makes of masked images.

Quadruplets (original, masked, reconstruction, reconstruction with the visible patches
pasted in) of image files, of folders, or of the config's training set if none is given;
or a sweep of the mask ratio on the first image (--sweep).
"""

import argparse

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from torch import Tensor

from ..configuration.configs import load_config
from ..errors import check
from ..images import read_image
from ..preparation.folder import find_photos
from ..visualization import (
    load_model,
    save_mask_sweep,
    save_quadruplets,
    set_mask_ratio,
)
from .common import add_config_options, run
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('reconstruct', __doc__)
    parser.add_argument('config', help='config of the pretraining')
    parser.add_argument('checkpoint', help='a checkpoint of it, such as stage_1.pth')
    parser.add_argument('images', nargs='*', help='image files or folders')
    parser.add_argument(
        '--out',
        default='work_dirs/reconstruct.png',
        help='picture to write (default: work_dirs/reconstruct.png)',
    )
    parser.add_argument(
        '--number', type=int, default=8, help='number of images (default: 8)'
    )
    parser.add_argument(
        '--mask-ratio', type=float, help="mask ratio (default: the config's)"
    )
    parser.add_argument(
        '--sweep', action='store_true', help='mask ratios 0.1 ... 0.9 of one image'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the masks (default: 0)'
    )
    add_config_options(parser)
    return parser.parse_args(argv)


def read_images(paths: list[str], number: int, size: tuple[int, int]) -> Tensor:
    """Read the first images of files and folders: (N, 3, *size) uint8, RGB."""
    files = find_photos(paths)[:number]
    images = [read_image(dict(img_path=str(file)), size) for file in files]
    bad = [image for image in images if not isinstance(image, np.ndarray)]
    check(not bad, f'an image cannot be read: {"; ".join(bad[:1])}')
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def reconstruct(args: argparse.Namespace) -> None:
    check(args.number > 0, f'--number {args.number} must be positive')
    init_default_scope('mmpretrain')
    cfg = load_config(args.config, args.cfg_options)
    model = load_model(cfg, args.checkpoint)
    if args.mask_ratio is not None:
        set_mask_ratio(model, args.mask_ratio)
    if args.images:
        size = model.backbone.geometry.img_size
        images = read_images(args.images, args.number, size)
    else:
        dataset = cfg.train_dataloader.dataset
        check(
            dataset.type == 'InMemoryImages',
            f'the data set of {args.config} is not held in memory: give image files or '
            'folders',
        )
        images = DATASETS.build(dataset).images[: args.number]
    torch.manual_seed(args.seed)
    save = save_mask_sweep if args.sweep else save_quadruplets
    print(f'picture: {save(model, images, args.out)}')


def main(argv: list[str] | None = None) -> None:
    run(reconstruct, parse_args(argv))
