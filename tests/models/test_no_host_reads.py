"""A training step reads no values on the host, which would make a GPU wait."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from bootmae_plugin.models import BlockMasking, GridMasking, RandomMasking
from tests.models.test_algorithm import build
from tests.models.test_bootmae_parity import build as build_bootmae

READERS = (
    'item', 'tolist', 'numpy', 'nonzero', '__bool__', '__int__', '__float__',
    '__index__', '__array__',
)  # fmt: skip
MASKINGS = dict(
    random=RandomMasking(),
    grid=GridMasking(),
    block=BlockMasking(),
    scattered=BlockMasking(scatter=0.18),
)


def mae():
    return build()


def mae_k_in_stage_two():
    model = build()
    model.start_stage(2)
    return model


def cross_mae():
    neck = dict(type='CrossMAEDecoder', embed_dims=32, depth=1, num_heads=4)
    return build(neck=dict(neck, predict_ratio=0.5))


def bootmae():
    return build_bootmae(32, 4, 48, 2, 3, 48, 1, 48, True)


METHODS = [mae, mae_k_in_stage_two, cross_mae, bootmae]


@pytest.fixture
def reads(monkeypatch):
    """Count the calls that hand a tensor's value to Python."""
    counter = Counter()

    def counted(name):
        read = getattr(Tensor, name)

        def reader(self, *args, **kwargs):
            counter[name] += 1
            return read(self, *args, **kwargs)

        return reader

    for name in READERS:
        monkeypatch.setattr(Tensor, name, counted(name))
    return counter


def train_step(model, images):
    loss, values = model.parse_losses(model.loss(images))
    loss.backward()
    model.after_step(0, 1, 2)
    return values


def test_reads_are_counted(reads):
    value = torch.tensor([1.0])
    assert value.item() == float(value) == 1 and bool(value > 0)
    assert int(value) == 1 and value.tolist() == [1]
    assert value.numpy().shape == (1,) and value.nonzero().shape == (1, 1)
    assert set(reads) >= {'item', 'tolist', 'numpy', 'nonzero', '__bool__', '__int__'}


@pytest.mark.parametrize('kind', MASKINGS)
def test_masks_are_drawn_without_a_read(kind, reads):
    MASKINGS[kind](4, (8, 8), torch.device('cpu'))
    assert reads == {}


@pytest.mark.parametrize('method', METHODS)
def test_a_training_step_reads_nothing(method, reads):
    model, images = method().train(), torch.randn(2, 3, 32, 32)
    reads.clear()  # those of the construction
    train_step(model, images)
    assert reads == {}
    assert model.backbone.cls_token.grad.abs().sum() > 0  # it was trained


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('method', METHODS)
def test_a_gpu_never_waits_for_a_training_step(method):
    model = method().train().cuda()
    images = torch.randn(2, 3, 32, 32, device='cuda')
    train_step(model, images)  # libraries may wait when they start
    torch.cuda.set_sync_debug_mode('error')
    try:
        train_step(model, images)
    finally:
        torch.cuda.set_sync_debug_mode('default')
