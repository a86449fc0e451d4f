"""Reading images: orientation and bit depth, as in the disk pipeline."""

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from bootmae_plugin import images
from bootmae_plugin.images import read_image, to_rgb

VALUES = np.arange(65536).reshape(256, 256)


def load_as_mmcv(path) -> np.ndarray:
    """RGB pixels of the disk pipeline."""
    return LoadImageFromFile()(dict(img_path=str(path)))['img'][..., ::-1]


# What a camera's orientation means, written out: the rows and columns of the upright
# image (EXIF 2.3, tag 274).
ORIENTATIONS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x[::-1].transpose(1, 0, 2),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize('orientation', ORIENTATIONS)
@pytest.mark.parametrize('ending', ['png', 'jpg', 'tif'])
def test_exif_orientation_is_applied_as_in_the_disk_pipeline(
    tmp_path, orientation, ending
):
    path = tmp_path / f'photo.{ending}'
    exif = Image.Exif()
    exif[274] = orientation
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    image = Image.fromarray(noise).resize((48, 32), Image.BICUBIC)
    image.save(path, exif=exif)
    image.save(tmp_path / f'plain.{ending}')
    stored = np.asarray(Image.open(tmp_path / f'plain.{ending}'))
    expected = ORIENTATIONS[orientation](stored)
    pixels = read_image(dict(img_path=str(path)), expected.shape[:2])
    assert np.array_equal(pixels, expected)
    assert np.array_equal(pixels, load_as_mmcv(path))


@pytest.mark.parametrize('ending', ['png', 'tif', 'pgm'])
def test_16_bits_keep_the_high_byte_as_in_the_disk_pipeline(tmp_path, ending):
    path = tmp_path / f'scan.{ending}'
    if ending == 'pgm':  # Pillow writes 8 bits only
        path.write_bytes(b'P5 256 256 65535\n' + VALUES.astype('>u2').tobytes())
    else:
        Image.fromarray(VALUES.astype(np.uint16)).save(path)
    pixels = read_image(dict(img_path=str(path)), (256, 256))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.repeat(VALUES[..., None] // 256, 3, axis=2))
    assert np.array_equal(pixels, load_as_mmcv(path))


def test_big_endian_16_bits():
    image = Image.frombytes('I;16B', (256, 256), VALUES.astype('>u2').tobytes())
    pixels = read_image(dict(img=VALUES.astype(np.uint16)), (256, 256))
    assert np.array_equal(pixels[..., 0], VALUES // 256)
    assert np.array_equal(np.asarray(to_rgb(image)), pixels)


@pytest.mark.parametrize(('dtype', 'mode'), [(np.int32, 'I'), (np.float32, 'F')])
def test_32_bits_are_refused_in_one_line(tmp_path, dtype, mode):
    path = tmp_path / 'depth.tif'
    Image.fromarray(np.linspace(0, 1, 64).reshape(8, 8).astype(dtype)).save(path)
    said = read_image(dict(img_path=str(path)), (8, 8))
    assert said.startswith(f'{path} (32-bit pixels (mode {mode}) have no fixed range')
    assert said.endswith('convert the image to 8 or 16 bits)')
    assert '\n' not in said


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'CMYK'])
def test_other_modes_become_rgb(tmp_path, mode):
    colors = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    image = Image.fromarray(colors).convert(mode)
    path = tmp_path / 'image.tif'
    image.save(path)
    assert np.array_equal(read_image(dict(img_path=str(path)), (1, 2)), colors)


def test_a_size_of_another_shape_covers_then_crops(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    # 24 / 40 covers the height, and the width of 30 is cropped to 16 at its center.
    expected = Image.fromarray(noise).resize((30, 24), Image.BICUBIC)
    expected = np.asarray(expected.crop((7, 0, 23, 24)))
    assert np.array_equal(read_image(dict(img=noise), (24, 16)), expected)


@pytest.mark.parametrize('shape', [(1, 3000), (2999, 2), (3, 1001)])
def test_a_strip_is_cut_before_it_is_resized(shape, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    monkeypatch.setattr(images, 'MAX_STRETCH', 10**6)  # nothing is cut
    expected = read_image(dict(img=noise), (12, 8)).astype(int)
    monkeypatch.undo()
    sizes, resize = [], Image.Image.resize

    def note(image, size, *args):
        sizes.append(size)
        return resize(image, size, *args)

    monkeypatch.setattr(Image.Image, 'resize', note)
    found = read_image(dict(img=noise), (12, 8))
    # The scale differs by a rounding of the sides.
    assert np.abs(found - expected).max() <= 12
    assert np.abs(found - expected).mean() < 1
    assert max(sizes[0]) <= 33 * 12


@pytest.mark.parametrize('shape', [(50, 70), (71, 40), (40, 40), (33, 64)])
def test_the_shorter_edge_is_resized_as_in_the_pipeline_of_imagenet(tmp_path, shape):
    from mmpretrain.datasets import CenterCrop, ResizeEdge

    path = tmp_path / 'a.png'
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    Image.fromarray(noise).save(path)
    steps = [
        ResizeEdge(36, 'short', backend='pillow', interpolation='bicubic'),
        CenterCrop(31),
    ]
    results = dict(img=load_as_mmcv(path)[..., ::-1])
    for step in steps:
        results = step(results)
    pixels = read_image(dict(img_path=str(path)), (31, 31), edge=36)
    assert np.array_equal(pixels, results['img'][..., ::-1])
