"""Fewer images than a batch: one line that says how to change it."""

from types import SimpleNamespace

import pytest
from mmengine.runner import Runner

from bootmae_plugin import UserError
from bootmae_plugin.reliability.loops import ExactEpochLoop

MESSAGE = (
    '10 training images on 1 processes do not fill a batch of 16 each: lower '
    'train_dataloader.batch_size, or set train_dataloader.drop_last=False'
)


class FakeRunner:
    """What a training loop needs to build its data loader."""

    seed, _randomness_cfg, visualizer = 0, {}, SimpleNamespace()
    build_dataloader = staticmethod(Runner.build_dataloader)


@pytest.mark.parametrize('drop_last', [True, False])
def test_fewer_images_than_a_batch(drop_last):
    loader = dict(
        batch_size=16,
        num_workers=0,
        drop_last=drop_last,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='whole_batch'),
        dataset=dict(
            type='InMemoryImages',
            source=dict(type='Digits', indices=10),
            with_label=False,
        ),
    )
    if not drop_last:
        loop = ExactEpochLoop(FakeRunner(), loader, max_epochs=1)
        assert len(loop.dataloader) == 1
        return
    with pytest.raises(UserError) as caught:
        ExactEpochLoop(FakeRunner(), loader, max_epochs=1)
    assert str(caught.value) == MESSAGE
