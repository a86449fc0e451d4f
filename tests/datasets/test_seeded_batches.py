"""The random numbers of a sample depend only on its position in the run."""

import pickle

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from bootmae_plugin.datasets.seeded_batches import SeededBatches, with_seeded_batches
from bootmae_plugin.reliability.resume import random_state
from tests.reliability.resuming import NoisyImages, same


def batches(number=6, seed=3, **kwargs):
    return SeededBatches(DefaultSampler(range(number), seed=seed), 4, **kwargs)


def load(batch):
    data = NoisyImages()
    return [data[index]['inputs'].int() for index in batch]


def test_samples_differ_and_the_numbers_of_the_process_stay():
    sampler, seen = batches(), []
    for epoch in (0, 1):
        sampler.start_at(epoch, 0)
        state = random_state()
        for batch in sampler:
            seen += load(batch)
        assert same(random_state(), state)
    assert len({int(image.sum()) for image in seen}) == len(seen) == 12


def test_a_pass_may_start_within_an_epoch_once():
    sampler = batches()
    first, last = map(load, sampler)
    sampler.start_at(0, 1)
    (again,) = sampler
    assert same(load(again), last)
    assert same(load(pickle.loads(pickle.dumps(again))), last)  # the way to a worker
    assert same([load(batch) for batch in sampler], [first, last])


def test_seeds_and_ranks_differ(monkeypatch):
    (one, *_), (other, *_) = batches(), batches(seed=4)
    assert one.key != other.key
    monkeypatch.setattr('mmengine.dist.get_rank', lambda: 1)
    (second, *_) = batches()
    assert second == one and not same(load(second), load(one))


@pytest.mark.parametrize('drop_last', [False, True])
def test_the_batches_are_those_of_torch(drop_last):
    sampler = DefaultSampler(range(10), seed=3)
    ours = SeededBatches(sampler, 4, drop_last=drop_last)
    loader = DataLoader(range(10), 4, sampler=sampler, drop_last=drop_last)
    assert [*map(list, ours)] == [batch.tolist() for batch in loader]
    assert len(ours) == len(loader)


def test_a_data_loader_keeps_its_options():
    cfg = dict(
        batch_size=4,
        drop_last=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=NoisyImages(),
        batch_sampler=None,
    )
    torch.manual_seed(0)
    before = torch.get_rng_state()
    loader = Runner.build_dataloader(with_seeded_batches(cfg), seed=3)
    assert len([*loader]) == len(loader) == 16
    assert torch.equal(torch.get_rng_state(), before)
    assert loader.batch_sampler.seed == 3
    assert 'generator' not in cfg and cfg['drop_last']  # the config is as it was
    own = dict(type=BatchSampler, drop_last=False)
    other = Runner.build_dataloader(
        with_seeded_batches(dict(cfg, batch_sampler=own)), seed=3
    )
    assert type(other.batch_sampler.batches) is BatchSampler
    assert len(other) == 16
