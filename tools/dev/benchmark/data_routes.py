"""From the images in memory to the model's input: this plugin and mmpretrain."""

import argparse
from functools import partial

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS

from .progress import Progress
from .timing import interleave, measure_seconds, rate_rows

BATCH = 128
# mmpretrain's route for CIFAR: one sample after the other, then the collate function.
PIPELINE = [
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.2, 1.0),
         backend='pillow', interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]  # fmt: skip


@DATASETS.register_module()
class NoiseImages(BaseDataset):
    """Images of noise, in memory as mmpretrain's CIFAR10 keeps its own."""

    METAINFO = dict(classes=[str(i) for i in range(10)])

    def __init__(self, count: int, **kwargs) -> None:
        self.count = count
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        pixels = np.random.default_rng(0).integers(
            0, 256, (self.count, 32, 32, 3), dtype=np.uint8
        )
        return [dict(img=img, gt_label=i % 10) for i, img in enumerate(pixels)]


def loader_config(kind: str, count: int) -> dict:
    """Return the data loader config of this plugin ('ours') or of mmpretrain."""
    source = dict(type='NoiseImages', count=count)
    if kind == 'ours':
        dataset = dict(type='InMemoryImages', source=source, with_label=False)
    else:
        dataset = dict(source, pipeline=PIPELINE)
    return dict(
        batch_size=BATCH,
        num_workers=0,
        drop_last=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='whole_batch' if kind == 'ours' else 'default_collate'),
        dataset=dataset,
    )


def preprocessor_config(kind: str) -> dict:
    """Return the data preprocessor config of this plugin ('ours') or of mmpretrain."""
    norm = dict(mean=[125.3, 123.0, 113.9], std=[51.6, 50.8, 51.3])
    if kind == 'ours':
        augment = dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0))
        return dict(norm, type='BatchDataPreprocessor', augment=augment)
    return dict(norm, type='SelfSupDataPreprocessor', to_rgb=True)


def measure_data(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure both routes on one core."""
    threads, count = torch.get_num_threads(), 2048
    torch.set_num_threads(1)

    def route(kind):
        data = Runner.build_dataloader(loader_config(kind, count), seed=0)
        prepare = MODELS.build(preprocessor_config(kind))

        def work():
            for batch in data:
                assert prepare(batch, training=True)['inputs'].shape[1:] == (3, 32, 32)

        return partial(measure_seconds, work)

    kinds = ('ours', 'mmpretrain')
    times = interleave({k: route(k) for k in kinds}, args.rounds, progress)
    torch.set_num_threads(threads)
    rows = rate_rows(times, count, 'mmpretrain')
    title = 'random resized crop + flip, 32x32, one core, up to the model input'
    return dict(title=title, rows=rows, times=times)
