"""Batches whose random numbers follow from their place in the run, not the loader."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine import dist
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler


class SeededBatch(list):
    """Indices of a batch; going through them seeds the generators for each sample.

    ``[dataset[i] for i in batch]``, which is what a data loader does, then draws the
    same numbers in any process, whatever was drawn before. The generators of the
    process are given back as they were.

    Args:
        indices: Of the samples.
        key: Non-negative numbers that tell this batch from all others.
    """

    def __init__(self, indices: list[int], key: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.key = key

    def __iter__(self) -> Iterator[int]:
        before = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            for place, index in enumerate(super().__iter__()):
                seed = np.random.SeedSequence((*self.key, place)).generate_state(3)
                random.seed(int(seed[0]))
                np.random.seed(seed[1])
                # The CPU's alone: torch.manual_seed would seed GPUs, too.
                torch.default_generator.manual_seed(int(seed[2]))
                yield index
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.set_rng_state(before[2])

    def __reduce__(self) -> tuple:  # the way to a worker; the default would go through
        return SeededBatch, (self[:], self.key)


@DATA_SAMPLERS.register_module()
class SeededBatches(Sampler):
    """Batch sampler of training: can start within an epoch, without loading the rest.

    Batches are :class:`SeededBatch`, with a key of seed, epoch, rank and number. So the
    samples do not depend on the number of workers, and a run that goes on within an
    epoch gets those it would have got.

    Args:
        sampler: Of indices. Its ``seed``, where it has one, is part of the keys.
        batch_size: Samples a batch and process.
        drop_last: Leave out the last batch of an epoch if it is smaller. Defaults to
            False.
        batch_sampler: Config of another batch sampler to take the batches from, with
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
        """Of the order and of the samples; the same on all processes."""
        return getattr(self.sampler, 'seed', 0)

    @seed.setter
    def seed(self, seed: int) -> None:
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed

    def start_at(self, epoch: int, batch: int) -> None:
        """The next pass is this epoch, from this batch on."""
        self.epoch, self.start = epoch, batch

    def __iter__(self) -> Iterator[SeededBatch]:
        start, self.start = self.start, 0
        key = self.seed, self.epoch, dist.get_rank()
        for number, indices in enumerate(self.batches):
            if number >= start:
                yield SeededBatch(indices, (*key, number))

    def __len__(self) -> int:
        return len(self.batches)


def seeded(dataloader: dict) -> dict:
    """Config of a data loader -> the same one with :class:`SeededBatches`."""
    cfg = dict(dataloader)
    cfg['batch_sampler'] = dict(
        type=SeededBatches,
        drop_last=cfg.pop('drop_last', False),
        batch_sampler=cfg.get('batch_sampler'),
    )
    # Else every pass would draw from the process' own generator, for workers' seeds.
    cfg['generator'] = torch.Generator()
    return cfg
