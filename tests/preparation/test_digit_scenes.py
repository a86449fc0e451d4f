"""The digit scenes are the same every time, with labels on the digits."""

import numpy as np
import pytest
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.preparation.bundled import prepare_digit_scenes
from bootmae_plugin.preparation.digit_scenes import CLASSES, load_digit_scenes


def test_scenes_are_deterministic_and_labelled():
    images, maps = load_digit_scenes('test')
    again, same = load_digit_scenes('test')
    assert np.array_equal(images, again)
    assert np.array_equal(maps, same)
    assert images.shape == (100, 32, 64, 3)
    assert maps.shape == (100, 32, 64)
    assert images.dtype == maps.dtype == np.uint8
    # Every digit and the background; a scene has a digit in each of its two cells.
    assert set(np.unique(maps)) == set(range(len(CLASSES)))
    cells = maps.reshape(100, 32, 2, 32).swapaxes(1, 2).reshape(-1, 32, 32)
    assert all(len(np.unique(m)) == 2 for m in cells)
    # What is labelled is bright, what is not is dark.
    assert images[maps > 0].min() >= 90
    assert images[maps == 0].max() < 90
    assert 0.2 < (maps > 0).mean() < 0.5


def test_training_and_test_scenes_differ():
    train, _ = load_digit_scenes('train')
    test, _ = load_digit_scenes('test')
    assert len(train) == 400
    assert not any((train == scene).all(axis=(1, 2, 3)).any() for scene in test)
    with pytest.raises(UserError, match="split='val'"):
        load_digit_scenes('val')


def test_the_files_hold_the_scenes(tmp_path):
    out = tmp_path / 'scenes'
    manifest, made = prepare_digit_scenes(out)
    assert made
    assert manifest['counts'] == {'train': 400, 'test': 100}
    images, maps = load_digit_scenes('test')
    with Image.open(out / 'img_dir/test/0007.png') as image:
        assert np.array_equal(np.asarray(image), images[7])
    with Image.open(out / 'ann_dir/test/0007.png') as label:
        assert np.array_equal(np.asarray(label), maps[7])
    assert prepare_digit_scenes(out)[1] is False
    (tmp_path / 'taken/img_dir').mkdir(parents=True)
    with pytest.raises(UserError, match='img_dir'):
        prepare_digit_scenes(tmp_path / 'taken')
