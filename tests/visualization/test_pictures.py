"""Pictures: files are written, pixels are those of the images."""

import numpy as np
import pytest
import torch
from PIL import Image

from bootmae_plugin.visualization import (
    quadruplets,
    save_mask_sweep,
    save_quadruplets,
    save_reconstructions,
)
from bootmae_plugin.visualization.figures import mosaic
from tests.models.test_algorithm import build

PREPROCESSOR = dict(type='BatchDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3)


def images(number=3):
    return torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8)


def model(**changes):
    return build(data_preprocessor=PREPROCESSOR, **changes).eval()


def test_the_original_is_shown_exactly():
    data = images()
    array = quadruplets(model(), data)
    assert array.shape == (3 * 34, 4 * 34, 3)
    shown = torch.from_numpy(array[1:33, 1:33].copy()).permute(2, 0, 1)
    assert torch.equal(shown, data[0])


@pytest.mark.parametrize(
    'save', [save_quadruplets, save_mask_sweep, save_reconstructions]
)
def test_a_picture_is_written(save, tmp_path):
    path = save(model(), images(4), tmp_path / 'new folder/a.png')
    assert path == tmp_path / 'new folder/a.png'
    assert np.asarray(Image.open(path)).std() > 10


def test_the_sweep_replaces_kinds_of_masks_that_have_few_ratios(tmp_path):
    grid = model(masking=dict(type='GridMasking', mask_ratio=0.75))
    masking, ratios = grid.masking, []
    grid.backbone.encode = watch(grid.backbone.encode, ratios)
    save_mask_sweep(grid, images(1), tmp_path / 'a.png')
    assert grid.masking is masking  # as before
    # 64 patches; the number of visible ones is rounded down.
    assert ratios == [int(64 * (1 - 0.1 * i) + 1e-9) for i in range(1, 10)]


def watch(encode, visible):
    def wrapper(x, mask, blocks):
        visible.append(mask.ids_keep.shape[1])
        return encode(x, mask, blocks)

    return wrapper


def test_mosaic():
    data = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 3), dtype=np.uint8)
    picture = mosaic(data, 2)
    assert picture.shape == (2 * 6, 2 * 7, 3)
    assert np.array_equal(picture[1:5, 1:6], data[0])
    assert np.array_equal(picture[1:5, 8:13], data[1])
    assert np.array_equal(picture[7:11, 1:6], data[2])
    assert (picture[6:, 7:] == 255).all()  # the fourth place is empty
