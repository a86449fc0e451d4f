"""Each image once in an epoch, shard by shard, over processes, workers and resumes."""

from itertools import product

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner

from bootmae_plugin import UserError
from bootmae_plugin.datasets import ShardBatches, WebDatasetShards, shard_batches
from bootmae_plugin.datasets.seeded_batches import with_seeded_batches
from tests.datasets.test_shards import monkeymodule, photos, root  # noqa: F401

SIZES = [7, 1, 12, 5, 0, 9, 30, 2]


def shards(sizes=SIZES) -> WebDatasetShards:
    data = object.__new__(WebDatasetShards)
    data.sizes = np.array(sizes)
    data.starts = np.cumsum(data.sizes) - data.sizes
    return data


def batches(rank=0, ranks=1, epoch=0, shuffle=True, size=4, data=None, **kwargs):
    sampler = DefaultSampler(data or shards(), shuffle=shuffle, seed=3)
    sampler.rank, sampler.world_size, sampler.epoch = rank, ranks, epoch
    return ShardBatches(sampler, size, **kwargs)


@pytest.mark.parametrize(
    ('ranks', 'streams', 'size', 'mix'),
    [*product((1, 2, 3), (1, 4), (4, 11), (1, 3)), (5, 40, 3, 8)],
)
def test_every_image_once(ranks, streams, size, mix):
    total, each = sum(SIZES), -(-sum(SIZES) // ranks)
    found = []
    for rank in range(ranks):
        sampler = batches(rank, ranks, size=size, streams=streams, mix=mix)
        own = [*sampler]
        # As a naive loop over the images of a process would cut them.
        assert [len(batch) for batch in own] == [
            min(size, each - first) for first in range(0, each, size)
        ]
        assert len(sampler) == len(own)
        found += [index for batch in own for index in batch]
    counts = np.bincount(found, minlength=total)
    # A few are repeated if the processes do not divide the images.
    assert counts.min() == 1 and counts.sum() == each * ranks
    assert counts.max() <= 1 + (each * ranks > total)


def test_the_order_depends_on_seed_and_epoch_alone():
    assert [*batches()] == [*batches()] != [*batches(epoch=1)]
    state = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    again = batches(epoch=1)
    assert [*again] == [*again]
    again.sampler.seed = 4
    assert [*again] != [*batches(epoch=1)]
    assert state == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_without_shuffling_the_images_are_in_order():
    assert sum(batches(shuffle=False), []) == [*range(sum(SIZES))]


@pytest.mark.parametrize('mix', [1, 3])
def test_a_stream_reads_each_shard_once_and_forward(mix):
    data, streams = shards(), 2
    own = [*batches(streams=streams, mix=mix)]
    shard_of = np.repeat(range(len(SIZES)), SIZES)
    cut = set()
    for stream in range(streams):
        order = np.array(sum(own[stream::streams], []))
        for shard in np.unique(shard_of[order]):
            images = order[shard_of[order] == shard]
            assert images.tolist() == [*range(images[0], images[-1] + 1)]
            if len(images) < data.sizes[shard]:
                cut.add(shard)
        # At most ``mix`` shards are open: begun and not yet at their end.
        places = [np.flatnonzero(shard_of[order] == s) for s in set(shard_of[order])]
        places = [(p[0], p[-1]) for p in places]
        for i in range(len(order)):
            assert sum(first <= i <= last for first, last in places) <= mix
    assert len(cut) <= streams - 1  # only where a stream ends


def test_few_shards_are_one_warning(monkeypatch):
    said = []
    monkeypatch.setattr(
        shard_batches, 'print_log', lambda text, *_, **__: said.append(text)
    )
    for ranks, streams in ((4, 3), (4, 2)):
        sampler = DefaultSampler(shards(), seed=3)
        sampler.world_size = ranks
        ShardBatches(sampler, 4, streams=streams)
    (text,) = said
    assert '8 shards for 4 processes x 3 streams' in text
    assert 'at least 12' in text and '\n' not in text


def test_another_data_set_is_refused():
    with pytest.raises(UserError, match='needs the data set WebDatasetShards'):
        ShardBatches(DefaultSampler([1, 2], seed=0), 2)
    with pytest.raises(UserError, match='mix=0'):
        batches(mix=0)


@pytest.fixture(scope='module')
def loader(root):  # noqa: F811
    """Function from the number of workers to a loader as that of a training."""

    def build(workers):
        cfg = dict(
            batch_size=4,
            num_workers=workers,
            dataset=dict(
                type='mmpretrain.WebDatasetShards',
                data_root=str(root),
                pipeline=[
                    dict(type='mmpretrain.RandomCrop', crop_size=5),
                    dict(type='mmpretrain.PackInputs'),
                ],
            ),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='mmpretrain.ShardBatches', streams=2, mix=2),
        )
        return Runner.build_dataloader(with_seeded_batches(cfg), seed=3)

    return build


def epoch_of(loader, epoch=1, start=0):
    loader.batch_sampler.sampler.set_epoch(epoch)
    loader.batch_sampler.start_at(epoch, start)
    return [
        (sample.sample_idx, image.numpy().tobytes())
        for batch in loader
        for sample, image in zip(batch['data_samples'], batch['inputs'], strict=True)
    ]


def test_workers_and_a_resume_change_nothing(loader):
    expected = epoch_of(loader(0))
    assert sorted(index for index, _ in expected) == [*range(23)]
    two = loader(2)
    assert epoch_of(two) == expected
    assert epoch_of(two, start=3) == expected[12:]  # within the epoch
    assert epoch_of(two, epoch=2) != expected
