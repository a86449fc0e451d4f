"""Generated configs and images: accepted, or refused in one line."""

import contextlib
import io
import itertools

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.datasets import InMemoryImages
from tests.tiny import run_tool, tiny_config

# The same examples in every run; shrinking a failure would take minutes.
generated = settings(derandomize=True, deadline=None, phases=[Phase.generate])
VALUES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.0, float('nan'), float('inf'), 1e30]),
    st.sampled_from([None, True, False, '', 'nope', 'ü\n', [], {}, [1, 'a'], {'a': 1}]),
)


def settings_of(cfg, prefix=''):
    """Yield the dotted keys of all settings, dicts included."""
    for key, value in cfg.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from settings_of(value, f'{prefix}{key}.')


def outcome(name: str, *args) -> str:
    """Return '' where a tool succeeds, and else the text that it exits with."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            run_tool(name, *args)
    except SystemExit as stop:
        return str(stop.code or '')
    return ''


def small(work_dir) -> Config:
    return tiny_config(work_dir, epochs=2, train_dataloader__batch_size=32)


# Settings that name files or classes of the run; the others are generated.
NAMES = ('work_dir', 'launcher', 'load_from', 'resume', 'custom_imports', 'runner_type')
KEYS = [key for key in settings_of(small('')) if key.split('.')[0] not in NAMES]


def test_generated_configs(tmp_path):
    refused, counter = [], itertools.count()

    @settings(generated, max_examples=30)
    @given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=2))
    def check(changes):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        (folder / 'notes.txt').write_text('mine')
        cfg = small(folder)
        try:
            cfg.merge_from_dict(changes)
        except Exception:  # such a file cannot be written
            return
        text = cfg.dump()
        for name in ('nan', 'inf'):
            text = text.replace(f'={name}', f"=float('{name}')")
        path = tmp_path / f'config_{folder.name}.py'
        path.write_text(text)
        said = outcome('train.py', path, '--work-dir', folder)
        assert said == '' or said.startswith('error: '), changes
        assert '\n' not in said, changes
        assert (folder / 'notes.txt').read_text() == 'mine'
        if said:
            refused.append(said)
        else:
            again = outcome('train.py', path, '--work-dir', folder)
            assert 'holds a run already' in again

    check()
    assert len(refused) >= 10


@st.composite
def encoded(draw) -> bytes:
    """An image file of a kind that PIL writes, truncated or with changed bytes."""
    kinds = [('RGB', 'PNG'), ('RGBA', 'PNG'), ('P', 'GIF'), ('1', 'PNG'), ('L', 'JPEG')]
    kinds += [('CMYK', 'JPEG'), ('I;16', 'PNG'), ('F', 'TIFF'), ('RGB', 'WEBP')]
    mode, kind = draw(st.sampled_from(kinds))
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    buffer = io.BytesIO()
    Image.new(mode, size, 1).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    for place in draw(st.lists(st.integers(0, len(data)), max_size=5)):
        data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
    return bytes(data)


def test_generated_images(tmp_path):
    refused, counter = [], itertools.count()
    endings = st.sampled_from(['jpg', 'png', 'tif', 'bmp'])

    @settings(generated, max_examples=30)
    @given(st.one_of(st.binary(max_size=60), encoded()), endings)
    def check(content, ending):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        path = folder / f'a.{ending}'
        path.write_bytes(content)
        source = dict(type='ImageFolder', data_root=str(folder), with_label=False)
        try:
            data = InMemoryImages(source, img_size=8, with_label=False)
            assert data.images.shape == (1, 3, 8, 8)
        except UserError as error:
            assert '\n' not in str(error) and str(path) in str(error)
            refused.append(str(error))
        assert path.read_bytes() == content

    check()
    assert 10 <= len(refused) < 30


def test_an_image_of_too_many_pixels(tmp_path):
    """A bomb of a few hundred kB: refused by its header, before it is decoded."""
    Image.new('1', (20_000, 20_000)).save(tmp_path / 'a.png')
    source = dict(type='ImageFolder', data_root=str(tmp_path), with_label=False)
    with pytest.raises(
        UserError, match=r'400000000 pixels\) exceeds .*: make it smaller'
    ):
        InMemoryImages(source, img_size=8, with_label=False)
