"""Batches whose random numbers depend on their position in the run, not the loader."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine import dist
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler


class SeededBatch(list):
    """The indices of a batch; iterating over them seeds the generators for each sample.

    A data loader runs ``[dataset[i] for i in batch]``. With this list it draws the same
    numbers in any process, whatever was drawn before. Afterwards the generators of the
    process have the state they had before.

    Args:
        indices: Indices of the samples.
        key: Non-negative numbers that no other batch of the run has.
    """

    def __init__(self, indices: list[int], key: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.key = key

    def __iter__(self) -> Iterator[int]:
        before = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            for position, index in enumerate(super().__iter__()):
                seeds = np.random.SeedSequence((*self.key, position)).generate_state(3)
                random.seed(int(seeds[0]))
                np.random.seed(seeds[1])
                # Only the CPU's generator: torch.manual_seed would seed GPUs, too.
                torch.default_generator.manual_seed(int(seeds[2]))
                yield index
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.set_rng_state(before[2])

    def __reduce__(self) -> tuple:  # pickling for a worker must not iterate
        return SeededBatch, (self[:], self.key)


@DATA_SAMPLERS.register_module()
class SeededBatches(Sampler):
    """Batch sampler for training that can start within an epoch without loading.

    The batches are :class:`SeededBatch`; their key is seed, epoch, rank and number. So
    the samples do not depend on the number of workers, and a run that is resumed within
    an epoch gets the samples of an uninterrupted run.

    Args:
        sampler: Sampler of indices. Its ``seed``, if it has one, is part of the keys.
        batch_size: Samples in a batch of one process.
        drop_last: Leave out the last batch of an epoch if it is smaller. Defaults to
            False.
        batch_sampler: Config of another batch sampler to take the batches from; it gets
            ``sampler`` and ``batch_size``. Defaults to None: torch's.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        drop_last: bool = False,
        batch_sampler: dict | None = None,
    ) -> None:
        self.sampler, self.batch_size = sampler, batch_size
        if batch_sampler is None:
            self.batches = BatchSampler(sampler, batch_size, drop_last)
        else:
            self.batches = DATA_SAMPLERS.build(
                batch_sampler, default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        self.epoch = self.start = 0

    @property
    def seed(self) -> int:
        """Seed of the order and of the samples, the same on all processes."""
        return getattr(self.sampler, 'seed', 0)

    @seed.setter
    def seed(self, seed: int) -> None:
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed

    def start_at(self, epoch: int, batch: int) -> None:
        """Let the next pass be this epoch, from this batch on."""
        self.epoch, self.start = epoch, batch

    def __iter__(self) -> Iterator[SeededBatch]:
        start, self.start = self.start, 0
        key = self.seed, self.epoch, dist.get_rank()
        for number, indices in enumerate(self.batches):
            if number >= start:
                yield SeededBatch(indices, (*key, number))

    def __len__(self) -> int:
        return len(self.batches)


def with_seeded_batches(dataloader: dict) -> dict:
    """Return the config of a data loader with :class:`SeededBatches`."""
    cfg = dict(dataloader)
    cfg['batch_sampler'] = dict(
        type=SeededBatches,
        drop_last=cfg.pop('drop_last', False),
        batch_sampler=cfg.get('batch_sampler'),
    )
    # Every pass draws a seed for the workers: not from the generator of the process.
    cfg['generator'] = torch.Generator()
    return cfg
