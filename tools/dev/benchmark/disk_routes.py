"""From JPEG files to the model's input: a folder, the same files in tar shards."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from bootmae_plugin import config_path
from bootmae_plugin.errors import check
from bootmae_plugin.preparation.shards import SHARDS, prepare_shards

from .progress import Progress
from .timing import interleave, measure_seconds, rate_rows

COUNT, SIDE = 2048, 128  # whole batches of 64: the folder drops a smaller one
CONFIGS = dict(
    folder='selfsup/bootmae_deit-tiny_folder-disk.py',
    shards='selfsup/bootmae_deit-tiny_shards.py',
)


def write_photos(folder: Path, count: int) -> int:
    """Write JPEGs of smoothed noise, about as large as photos of this size.

    Args:
        folder: Where; it is made.
        count: How many.

    Returns:
        Mean size of a file in bytes.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        noise = rng.normal(size=(SIDE // 4, SIDE // 4, 3))
        image = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image += rng.normal(scale=0.1, size=image.shape)
        image = np.clip(128 + 50 * image, 0, 255).astype(np.uint8)
        written = cv2.imwrite(str(folder / f'{i:05d}.jpg'), image)
        check(written, f'{folder} cannot be written: free some space')
    return sum(file.stat().st_size for file in folder.iterdir()) // count


def route(config: str, data_root: Path) -> Callable[[], int]:
    """Return a call that reads an epoch with a shipped config, in this process.

    The call returns the number of images.
    """
    cfg = Config.fromfile(config_path(config))
    loader = cfg.train_dataloader
    loader.update(num_workers=0, persistent_workers=False)
    loader.dataset.data_root = str(data_root)
    if 'streams' in loader.get('batch_sampler', {}):
        loader.batch_sampler.streams = 1
    data = Runner.build_dataloader(loader, seed=0)
    prepare = MODELS.build(cfg.data_preprocessor)

    def epoch() -> int:
        return sum(len(prepare(batch, training=True)['inputs']) for batch in data)

    return epoch


def measure_disk(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure both routes on one core; the files are in the page cache."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / 'photos', Path(folder) / 'shards'
        size = write_photos(photos, COUNT)
        prepare_shards(out, photos, shard_mb=1)
        roots = dict(folder=photos, shards=out / SHARDS)
        routes = {
            name: partial(measure_seconds, route(CONFIGS[name], roots[name]))
            for name in CONFIGS
        }
        times = interleave(routes, args.rounds, progress)
        number = len(list(roots['shards'].glob('*.tar')))
    torch.set_num_threads(threads)
    rows = rate_rows(times, COUNT, 'folder')
    title = (
        f'{COUNT:,} JPEGs of {SIDE}x{SIDE} ({size / 1000:.0f} KB), {number} shards, '
        'one core, up to the model input of 64x64'
    )
    return dict(title=title, rows=rows, times=times)
