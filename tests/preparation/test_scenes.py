"""Scenes and their label maps: pairs, folders, classes, and what is refused."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.preparation.scenes import read_scenes
from tests.image_files import picture


def label_map(path, values=(0, 1), size=(8, 8), mode='L'):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.resize(np.array(values, dtype=np.uint8), size)
    Image.fromarray(pixels).convert(mode).save(path)


def pairs(folder, number=5, values=(0, 1)):
    for i in range(number):
        picture(folder / f'{i}.jpg')
        label_map(folder / f'{i}_mask.png', values)
    return folder


def test_pairs_of_files(tmp_path):
    scenes = read_scenes(pairs(tmp_path, 10))
    assert Counter(row.split for row in scenes.rows) == dict(train=8, val=2)
    assert all(row.label == row.path[:-4] + '_mask.png' for row in scenes.rows)
    assert (scenes.classes, scenes.values) == (['label 0', 'label 1'], [0, 1])
    assert scenes.size == (8, 8)


@pytest.mark.parametrize('splits', [('',), ('train/', 'val/'), ('train/', 'test/')])
def test_folders_of_images_and_maps(tmp_path, splits):
    for split in splits:
        for i in range(3):
            picture(tmp_path / f'img_dir/{split}{i}.jpg', (6, 10))
            label_map(tmp_path / f'ann_dir/{split}{i}.png', (0, 7, 255), (6, 10))
    (tmp_path / 'classes.txt').write_text('\n'.join('abcdefgh') + '\n')
    scenes = read_scenes(tmp_path)
    assert scenes.size == (10, 6)
    assert (scenes.classes, scenes.values) == (list('abcdefgh'), list(range(8)))
    expected = {split.strip('/') for split in splits} if splits != ('',) else None
    assert {row.split for row in scenes.rows} == (expected or {'train', 'val'})


@pytest.mark.parametrize(
    ('values', 'classes', 'expected'),
    [
        ([0, 255], ['background', 'foreground'], [0, 255]),
        ([0, 1, 255], ['label 0', 'label 1'], [0, 1]),  # 255 is ignored
        ([3, 40], ['label 3', 'label 40'], [3, 40]),
    ],
)
def test_classes_without_names_are_the_values(tmp_path, values, classes, expected):
    scenes = read_scenes(pairs(tmp_path, values=values))
    assert (scenes.classes, scenes.values) == (classes, expected)


def change(folder, what):
    pairs(folder)
    if what == 'no map':
        (folder / '0_mask.png').unlink()
    elif what == 'no image':
        (folder / '0.jpg').unlink()
    elif what == 'twice':
        picture(folder / '0.png')
    elif what == 'size':
        label_map(folder / '0_mask.png', size=(8, 9))
    elif what == 'color':
        label_map(folder / '0_mask.png', mode='RGB')
    elif what == 'broken':
        (folder / '0_mask.png').write_bytes(b'x')
    elif what == 'one value':
        pairs(folder, values=[0])
    elif what == 'names':
        (folder / 'classes.txt').write_text('one\n')


@pytest.mark.parametrize(
    ('what', 'words'),
    [
        ('no map', ["1 of 5 images", "no label map (first: ['0'])"]),
        ('no image', ['1 label maps', 'have no image']),
        ('twice', ['0.jpg and 0.png', 'rename one']),
        ('size', ['0_mask.png is 9x8', 'its image 8x8']),
        ('color', ['0_mask.png has the mode RGB', 'one channel']),
        ('broken', ['0_mask.png', 'replace it']),
        ('one value', ['the value [0] alone']),
        ('names', ['classes.txt names 1 classes', 'value [1]']),
    ],
)  # fmt: skip
def test_wrong_scenes_are_one_line(tmp_path, what, words):
    change(tmp_path, what)
    with pytest.raises(UserError) as error:
        read_scenes(tmp_path)
    text = str(error.value)
    assert all(word in text for word in words), text
    assert '\n' not in text


def test_no_scene_and_one_scene_are_refused(tmp_path):
    with pytest.raises(UserError, match='has no image'):
        read_scenes(tmp_path)
    with pytest.raises(UserError, match='has 1 scene'):
        read_scenes(pairs(tmp_path, 1))
