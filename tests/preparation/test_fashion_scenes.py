"""The scenes of garments are the same every time, with labels on the garments."""

import numpy as np
import pytest
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.datasets.fashion_mnist import load_fashion_mnist_12k
from bootmae_plugin.preparation import fashion_scenes, publish
from bootmae_plugin.preparation.bundled import (
    prepare_fashion_mnist_12k,
    prepare_fashion_scenes,
)
from bootmae_plugin.preparation.fashion_scenes import CLASSES, load_fashion_scenes


@pytest.fixture(scope='module')
def scenes() -> tuple[np.ndarray, np.ndarray]:
    return load_fashion_scenes('test')


def test_scenes_are_deterministic_and_labelled(scenes):
    images, maps = scenes
    again, same = load_fashion_scenes('test')
    assert np.array_equal(images, again) and np.array_equal(maps, same)
    assert images.shape == (100, 56, 56, 3) and maps.shape == (100, 56, 56)
    assert images.dtype == maps.dtype == np.uint8
    assert set(np.unique(maps)) == set(range(len(CLASSES)))
    # Nothing is drawn on the background; a garment is at least at half its brightness.
    assert images[maps == 0].max() == 0
    assert images[maps > 0].min() >= fashion_scenes.INK // 2
    assert 0.3 < (maps > 0).mean() < 0.5


def test_a_scene_shows_images_of_its_split_only(monkeypatch):
    asked = []
    monkeypatch.setattr(
        fashion_scenes,
        'load_fashion_mnist_12k',
        lambda split: asked.append(split) or load_fashion_mnist_12k(split),
    )
    for split in ('train', 'test'):
        load_fashion_scenes(split)
    assert asked == ['train', 'test']
    with pytest.raises(UserError, match="split='val'"):
        load_fashion_scenes('val')


def test_one_garment_on_top_of_another():
    """A scene equals its garments pasted pixel by pixel."""

    class Fixed:
        """Two garments of 28 pixels: the first at (0, 0), the second at (4, 4)."""

        values = iter([2, 0, 28, (0, 0), 1, 28, (4, 4)])

        def integers(self, *args, **kwargs):
            return next(self.values)

        def choice(self, options):
            return 1

        def uniform(self, low, high):
            return 1.0

    generator = np.random.default_rng(0)
    garments = generator.integers(0, 256, (2, 28, 28), np.uint8)
    image, label = fashion_scenes._scene(garments, [3, 7], Fixed())
    expected, labels = np.zeros((56, 56), np.uint8), np.zeros((56, 56), np.uint8)
    for garment, offset, number in zip(garments, (0, 4), (4, 8), strict=True):
        for y in range(28):
            for x in range(28):
                if garment[y, x] >= fashion_scenes.INK:
                    expected[y + offset, x + offset] = garment[y, x]
                    labels[y + offset, x + offset] = number
    assert np.array_equal(image, expected) and np.array_equal(label, labels)


def test_the_files_hold_the_scenes(tmp_path, scenes):
    out = tmp_path / 'scenes'
    manifest, made = prepare_fashion_scenes(out)
    assert made and manifest['counts'] == {'train': 200, 'test': 100}
    for folder, arrays in zip(('img_dir', 'ann_dir'), scenes, strict=True):
        with Image.open(out / folder / 'test/0007.png') as image:
            assert np.array_equal(np.asarray(image), arrays[7])
    assert prepare_fashion_scenes(out)[1] is False


def test_the_garments_as_files(tmp_path, monkeypatch):
    manifest, made = prepare_fashion_mnist_12k()
    assert not made and manifest['counts'] == {'train': 10_000, 'test': 2_000}
    images, labels = load_fashion_mnist_12k('test')
    few = images[::200], labels[::200]  # one of each class
    monkeypatch.setattr(
        'bootmae_plugin.datasets.fashion_mnist.load_fashion_mnist_12k', lambda _: few
    )
    assert prepare_fashion_mnist_12k(tmp_path)[0]['counts'] == {'train': 10, 'test': 10}
    assert len(publish.walk(tmp_path)) == 20
    with Image.open(tmp_path / 'test/ankle-boot/0009.png') as image:
        assert np.array_equal(np.asarray(image), few[0][9])
