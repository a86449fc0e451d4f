"""The bundled part of Fashion-MNIST has the official images, in a stratified split."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from bootmae_plugin import UserError
from bootmae_plugin.datasets import FashionMNIST12k, InMemoryImages, fashion_mnist
from bootmae_plugin.datasets.fashion_mnist import load_fashion_mnist_12k
from bootmae_plugin.preparation.prepare import DEBIAN_FASHION_MNIST

DEBIAN = Path(DEBIAN_FASHION_MNIST)
# Of the pixels that the four official files gave, in the order of the sheet's splits.
SHA256 = '28f18b801ea088981350ccec4e88d2d5a6bd303ee86c624887dbcfdb9f49cd6e'


@pytest.fixture(scope='module')
def splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {split: load_fashion_mnist_12k(split) for split in ('train', 'test')}


def test_the_split_is_stratified_and_disjoint(splits):
    seen = [image.tobytes() for images, _ in splits.values() for image in images]
    assert len(set(seen)) == 12_000
    for split, per_class in (('train', 1000), ('test', 200)):
        images, labels = splits[split]
        assert images.shape == (10 * per_class, 28, 28)
        assert images.dtype == np.uint8 and labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [per_class] * 10


def test_values(splits):
    pixels = b''.join(splits[split][0].tobytes() for split in ('train', 'test'))
    assert hashlib.sha256(pixels).hexdigest() == SHA256
    # The first image of the official training set: an ankle boot, whose pixels sum to
    # 76,247 (train-images-idx3-ubyte, bytes 16 to 799).
    images, labels = splits['train']
    boot = images[np.flatnonzero(labels == 9)[0]]
    assert int(boot.sum()) == 76_247
    # Mean and standard deviation of all 60,000 official training images: 72.94, 90.02.
    assert abs(images.mean() - 72.94) < 0.5
    assert abs(images.std() - 90.02) < 0.5


@pytest.mark.skipif(not DEBIAN.is_dir(), reason='no dataset-fashion-mnist (Debian)')
@pytest.mark.parametrize(('split', 'name'), [('train', 'train'), ('test', 't10k')])
def test_equal_to_the_official_files(splits, split, name):
    parts = f'{name}-images-idx3-ubyte.gz', f'{name}-labels-idx1-ubyte.gz'
    images, labels = (gzip.decompress((DEBIAN / part).read_bytes()) for part in parts)
    images = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(labels, np.uint8, offset=8)
    for label in range(10):
        ours = splits[split][0][splits[split][1] == label]
        assert np.array_equal(ours, images[labels == label][: len(ours)])


def test_as_a_source(splits):
    source = FashionMNIST12k(split='test')
    assert len(source) == 2000
    assert source.metainfo['classes'][9] == 'ankle-boot'
    images, labels = splits['test']
    # Ten labels of each class, as the configs for finetuning choose them.
    indices = [200 * label + i for label in range(10) for i in range(10)]
    data = InMemoryImages(
        dict(type='FashionMNIST12k', split='test', indices=indices), img_size=28
    )
    batch = data.__getitems__([0, 99])
    assert batch['gt_label'].tolist() == labels[[0, 1809]].tolist() == [0, 9]
    for channel in range(3):
        assert np.array_equal(batch['inputs'][:, channel], images[[0, 1809]])


def test_errors_are_one_line(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="split='val'"):
        load_fashion_mnist_12k('val')
    for content in (None, fashion_mnist.SHEET.read_bytes()[:5000]):
        sheet = tmp_path / 'images.png'
        if content:
            sheet.write_bytes(content)
        monkeypatch.setattr(fashion_mnist, 'SHEET', sheet)
        with pytest.raises(UserError, match='install bootmae_plugin again'):
            load_fashion_mnist_12k('train')
