"""Batches of images in tar shards, so that every shard is read once and forward."""

from collections.abc import Iterator

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..errors import check
from ..hints import command
from .shards import MAX_OPEN, WebDatasetShards


@DATA_SAMPLERS.register_module()
class ShardBatches(Sampler):
    """Batch sampler of :class:`WebDatasetShards`.

    An epoch puts the shards into a random line. Every process takes an equal part of
    the images in this line, and cuts it into ``streams`` parts. Batch n comes from part
    n % ``streams``, so with as many workers each worker reads its own shards. In a
    part, the images of ``mix`` shards alternate at random, each shard in its own order.
    The batches depend on seed, epoch, number of processes and the arguments, but not on
    the workers.

    As with mmengine's DefaultSampler, a few images are repeated if the number of
    processes does not divide that of the images. The last batch may be smaller.

    Args:
        sampler: A DefaultSampler, of which the data set, ``seed``, ``epoch``, the
            number of processes and ``shuffle`` are used.
        batch_size: Images in a batch of one process.
        streams: Parts of a process. Give the number of workers. Defaults to 1.
        mix: Shards whose images alternate. Defaults to 8.

    Raises:
        UserError: if the data set has no shards.
    """

    def __init__(
        self, sampler: DefaultSampler, batch_size: int, streams: int = 1, mix: int = 8
    ) -> None:
        check(
            isinstance(sampler.dataset, WebDatasetShards),
            f'ShardBatches needs the data set WebDatasetShards, got '
            f'{type(sampler.dataset).__name__}: remove train_dataloader.batch_sampler',
        )
        check(
            streams > 0 and 0 < mix <= MAX_OPEN,
            f'streams={streams}, mix={mix} of ShardBatches: give whole numbers from 1, '
            f'mix up to {MAX_OPEN}',
        )
        self.sampler, self.batch_size = sampler, batch_size
        self.streams, self.mix = streams, mix
        shards, parts = len(sampler.dataset.sizes), sampler.world_size * streams
        if shards < parts:
            print_log(
                f'{shards} shards for {sampler.world_size} processes x {streams} '
                'streams: some are read several times in an epoch; write at least '
                f'{parts} with {command("data")} shards --shard-mb, or take fewer '
                'workers',
                'current',
                level=30,
            )

    @property
    def number(self) -> int:
        """Images of a process in an epoch."""
        return -(-len(self.sampler.dataset) // self.sampler.world_size)

    def __len__(self) -> int:
        return -(-self.number // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(len(self.sampler.dataset.sizes))
        if self.sampler.shuffle:  # the same on all processes
            rng = np.random.default_rng((self.sampler.seed, self.sampler.epoch))
            order = rng.permutation(order)
        key = self.sampler.seed, self.sampler.epoch, self.sampler.rank
        rng, parts, begin = np.random.default_rng(key), [], key[-1] * self.number
        for stream in range(self.streams):
            batches = len(range(stream, len(self), self.streams))
            missing = 0  # of the last batch, which may be smaller
            if batches and (len(self) - 1) % self.streams == stream:
                missing = len(self) * self.batch_size - self.number
            end = begin + batches * self.batch_size - missing
            parts.append(self._mixed(self._cut(order, begin, end), rng))
            begin = end
        for batch in range(len(self)):
            place = batch // self.streams * self.batch_size
            part = parts[batch % self.streams]
            yield part[place : place + self.batch_size].tolist()

    def _cut(self, order: np.ndarray, begin: int, end: int) -> list[np.ndarray]:
        """Return the images from ``begin`` to ``end`` of the line, shard by shard."""
        data = self.sampler.dataset
        lasts = np.cumsum(data.sizes[order])
        pieces = []
        while begin < end:
            place = begin % len(data)  # behind the last image the line starts again
            at = int(np.searchsorted(lasts, place, side='right'))
            number = min(end - begin, int(lasts[at]) - place)
            first = data.starts[order[at]] + data.sizes[order[at]] - (lasts[at] - place)
            pieces.append(np.arange(first, first + number))
            begin += number
        return pieces

    def _mixed(self, pieces: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Join the pieces; groups of ``mix`` alternate at random."""
        if not self.sampler.shuffle or not pieces:
            return np.concatenate([*pieces, np.empty(0, int)])
        groups = []
        for first in range(0, len(pieces), self.mix):
            group = pieces[first : first + self.mix]
            turns = rng.permutation(np.repeat(range(len(group)), [*map(len, group)]))
            # A stable sort of the turns lists the places of each piece in order.
            mixed = np.empty(len(turns), int)
            mixed[np.argsort(turns, kind='stable')] = np.concatenate(group)
            groups.append(mixed)
        return np.concatenate(groups)
