"""The cache of decoded images: values, reuse, changes, damage, a full disk."""

import errno
import os
import shutil
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.datasets import InMemoryImages
from bootmae_plugin.datasets import pixel_cache as module
from bootmae_plugin.datasets.pixel_cache import PixelCache

SIZE = (8, 12)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(5):
        pixels = np.random.RandomState(number).randint(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f'{number}.png')
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / 'cache'


def read(path):
    try:
        return np.asarray(Image.open(path))
    except OSError as error:
        return f'{path} ({error})'


def load(cache, photos, names=None, decode=read):
    """Return the cache, its pixels, and the names of the files that were decoded."""
    decoded = []
    names = sorted(p.name for p in photos.iterdir()) if names is None else names
    found = PixelCache(cache, [str(photos / name) for name in names], SIZE)

    def note(path):
        decoded.append(os.path.basename(path))
        return decode(path)

    pixels, good, bad = found.load(note, map)
    return found, pixels, good, bad, decoded


def expected(photos, names):
    return np.stack([read(photos / name).transpose(2, 0, 1) for name in names])


def test_images_are_decoded_once(photos, cache):
    names = [f'{n}.png' for n in range(5)]
    _, pixels, good, bad, decoded = load(cache, photos)
    assert decoded == names and good == [*range(5)] and bad == []
    assert isinstance(pixels, np.memmap)
    assert np.array_equal(pixels, expected(photos, names))
    found, again, *_, decoded = load(cache, photos)
    assert decoded == [] and found.copied == 5 and np.array_equal(again, pixels)
    again[0] = 0  # private to the process
    assert np.array_equal(load(cache, photos)[1], pixels)


def test_only_what_changed_is_decoded(photos, cache):
    first = load(cache, photos)[1]
    before = np.array(first)
    Image.new('RGB', SIZE[::-1], 'red').save(photos / '1.png')
    os.utime(photos / '1.png', ns=(1, 1))
    Image.new('RGB', SIZE[::-1], 'blue').save(photos / 'new.png')
    (photos / '4.png').unlink()
    found, pixels, *_, decoded = load(cache, photos)
    assert decoded == ['1.png', 'new.png'] and found.copied == 3
    names = ['0.png', '1.png', '2.png', '3.png', 'new.png']
    assert np.array_equal(pixels, expected(photos, names))
    assert np.array_equal(first, before)  # a mapped cache outlives its replacement
    # A part of the photos is a cache of its own, without decoding.
    *_, decoded = load(cache, photos, ['2.png', '0.png'])
    assert decoded == []
    # Another size is decoded again.
    assert PixelCache(cache, [str(photos / '0.png')], (4, 4)).name[:4] == '4x4_'


def test_outdated_caches_are_removed(photos, cache):
    load(cache, photos, ['0.png', '1.png'])
    load(cache, photos, ['3.png'])
    assert len([*cache.glob('*.u8')]) == 2
    load(cache, photos, ['0.png', '1.png', '2.png'])  # holds the first of them
    assert len([*cache.glob('*.u8')]) == len([*cache.glob('*.json')]) == 2


def test_unreadable_images_are_named_and_tried_again_when_they_change(photos, cache):
    (photos / '2.png').write_bytes(b'no image')
    _, pixels, good, bad, _ = load(cache, photos)
    assert good == [0, 1, 3, 4] and len(bad) == 1 and '2.png' in bad[0]
    assert len(pixels) == 4
    *_, again, decoded = load(cache, photos)
    assert again == bad and decoded == []
    shutil.copy(photos / '3.png', photos / '2.png')
    _, pixels, good, bad, decoded = load(cache, photos)
    assert decoded == ['2.png'] and bad == [] and len(pixels) == 5
    _, pixels, good, bad, _ = load(cache, photos, ['missing.png'])
    assert len(pixels) == 0 and good == [] and 'missing.png (No such file' in bad[0]


@pytest.mark.parametrize('damage', ['index', 'pixels', 'no pixels'])
def test_a_damaged_cache_is_made_again(photos, cache, damage):
    pixels = np.array(load(cache, photos)[1])
    (file,), (index,) = cache.glob('*.u8'), cache.glob('*.json')
    if damage == 'index':
        index.write_text(index.read_text()[:50])
    elif damage == 'pixels':
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.unlink()
    _, again, *_, decoded = load(cache, photos)
    assert len(decoded) == 5 and np.array_equal(again, pixels)
    assert len([*cache.glob('*.u8')]) == len([*cache.glob('*.json')]) == 1


def test_an_interrupted_cache_leaves_the_former_one(photos, cache):
    load(cache, photos)
    before = sorted(p.name for p in cache.iterdir())
    Image.new('RGB', SIZE[::-1], 'red').save(photos / 'new.png')

    def interrupted(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(cache, photos, decode=interrupted)
    names = {p.name for p in cache.iterdir() if p.suffix != '.lock'}
    assert names == {name for name in before if not name.endswith('.lock')}
    assert load(cache, photos, [f'{n}.png' for n in range(5)])[-1] == []


def test_a_full_disk_is_one_line(photos, cache, monkeypatch):
    usage = namedtuple('usage', 'free')
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda _: usage(10))
    with pytest.raises(UserError, match='takes 0.0 GiB, but .* has 0.0 GiB left'):
        load(cache, photos)
    monkeypatch.undo()

    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(module.os, 'fsync', full)
    with pytest.raises(UserError, match='cannot be written .*No space left on device'):
        load(cache, photos)
    assert not [*cache.glob('*.u8')] and not [*cache.glob('*.json')]


def test_two_processes_decode_once(photos, cache):
    with ThreadPoolExecutor(2) as pool:  # file locks exclude threads, too
        results = [*pool.map(lambda _: load(cache, photos), range(2))]
    assert sorted(len(result[-1]) for result in results) == [0, 5]
    assert np.array_equal(results[0][1], results[1][1])


def test_two_runs_of_different_photos_share_a_cache(photos, cache):
    names = [f'{n}.png' for n in range(5)]

    def slowly(path):
        time.sleep(0.02)  # long enough for the other run to start decoding, too
        return read(path)

    with ThreadPoolExecutor(2) as pool:
        results = [
            *pool.map(
                lambda part: load(cache, photos, part, slowly), (names, names[:3])
            )
        ]
    # The second run copies what the first has decoded, and removes nothing under it.
    assert sum(len(result[-1]) for result in results) == 5
    for result, part in zip(results, (names, names[:3]), strict=True):
        assert np.array_equal(result[1], expected(photos, part))


def test_the_data_set_is_the_same_with_a_cache(photos, tmp_path):
    source = dict(type='ImageFolder', data_root=str(photos), with_label=False)
    settings = dict(source=source, img_size=SIZE, with_label=False)
    plain = InMemoryImages(**settings)
    cached = InMemoryImages(**settings, cache=str(tmp_path / 'new/cache'))
    assert plain.images.equal(cached.images) and plain.images.is_contiguous()
    batch = cached.__getitems__([3, 1])
    assert batch['inputs'].equal(plain.images[[3, 1]])
    (photos / '0.png').write_bytes(b'no image')
    with pytest.raises(UserError, match='1 of 5 images cannot be read.*0.png'):
        InMemoryImages(**settings, cache=str(tmp_path / 'new/cache'))
    skipping = dict(settings, on_error='skip', cache=str(tmp_path / 'new/cache'))
    assert InMemoryImages(**skipping).images.equal(plain.images[1:])
    file = tmp_path / 'file'
    file.touch()
    with pytest.raises(UserError, match='cache folder .* cannot be made'):
        InMemoryImages(**settings, cache=str(file / 'cache'))
