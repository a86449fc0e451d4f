"""COCO annotations: boxes, areas and run lengths of masks."""

import json

import numpy as np
import pytest

from bootmae_plugin.preparation.bundled import prepare_digit_objects
from bootmae_plugin.preparation.coco import coco_annotations, run_lengths
from bootmae_plugin.preparation.digit_scenes import (
    load_digit_objects,
    load_digit_scenes,
)


def decoded(segmentation: dict) -> np.ndarray:
    """Decode run lengths in a naive loop over the pixels, column by column."""
    height, width = segmentation['size']
    pixels, value = [], False
    for length in segmentation['counts']:
        pixels += [value] * length
        value = not value
    return np.array(pixels).reshape(width, height).T


@pytest.mark.parametrize('first', [False, True])
@pytest.mark.parametrize('last', [False, True])
def test_run_lengths_are_read_column_by_column(first, last):
    mask = np.array([[first, 1, 0], [0, 1, last]], dtype=bool)
    counts = run_lengths(mask)
    assert sum(counts) == mask.size and (counts[0] == 0) == first
    assert np.array_equal(decoded(dict(size=[2, 3], counts=counts)), mask)


def test_run_lengths_are_those_of_pycocotools():
    tools = pytest.importorskip('pycocotools.mask', reason='needs pycocotools')
    mask = np.random.default_rng(0).random((7, 5)) > 0.5
    segmentation = dict(size=[7, 5], counts=run_lengths(mask))
    found = tools.decode(tools.frPyObjects(segmentation, 7, 5))
    assert np.array_equal(found.astype(bool), mask)


def test_an_object_has_its_box_and_its_area():
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    mask[2, 2] = False
    found = coco_annotations(['a.png'], [[(1, mask), (0, mask)]], ['x', 'y'])
    assert found['images'] == [dict(id=1, file_name='a.png', height=4, width=6)]
    assert found['categories'] == [dict(id=1, name='x'), dict(id=2, name='y')]
    one, two = found['annotations']
    assert [(x['id'], x['category_id']) for x in (one, two)] == [(1, 2), (2, 1)]
    assert one['bbox'] == [2, 1, 3, 2] and one['area'] == 5
    assert np.array_equal(decoded(one['segmentation']), mask)


def test_the_digits_of_a_scene_are_its_objects(tmp_path):
    manifest, made = prepare_digit_objects(tmp_path / 'digits')
    assert made and manifest['counts'] == {'train': 400, 'test': 100}
    _, maps = load_digit_scenes('test')
    _, objects = load_digit_objects('test')
    content = json.loads((tmp_path / 'digits/instances_test.json').read_text())
    assert len(content['annotations']) == 200
    assert sorted(p.name for p in (tmp_path / 'digits/test').glob('*.png')) == [
        image['file_name'] for image in content['images']
    ]
    for number in (0, 57):
        found = np.zeros_like(maps[number])
        for label, mask in objects[number]:
            found[mask] = label + 1
        assert np.array_equal(found, maps[number])
        masks = [
            decoded(one['segmentation'])
            for one in content['annotations']
            if one['image_id'] == number + 1
        ]
        assert np.array_equal(masks, [mask for _, mask in objects[number]])
