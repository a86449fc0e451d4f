"""``bootmae predict`` with checkpoints: the numbers of ``tools/test.py``, bad input."""

import csv
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from bootmae_plugin.deployment.trained import load_trained
from bootmae_plugin.errors import UserError
from bootmae_plugin.images import overlay
from tests.tiny import run_tool


def predict(*args) -> None:
    run_tool('predict.py', *args, '--device', 'cpu')


def error_of(*args) -> str:
    with pytest.raises(SystemExit) as stop:
        predict(*args)
    line = str(stop.value.code)
    assert line.startswith('error: ') and '\n' not in line
    return line


def read_rows(path) -> list[list[str]]:
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.reader(file))


def probabilities(path) -> np.ndarray:
    """Return the probabilities of all classes, in the order of the classes."""
    rows = np.array(read_rows(path)[1:])
    order = rows[:, 1::2].astype(int).argsort(axis=1)
    return np.take_along_axis(rows[:, 2::2].astype(float), order, axis=1)


@pytest.mark.parametrize('given', ['folder', 'checkpoint'])
def test_classes_are_those_of_the_test(classifier, tmp_path, given):
    out = tmp_path / 'predictions.csv'
    predict(
        getattr(classifier, given), classifier.photos, '--out', out, '--top-k', 10,
        '--batch-size', 7,
    )  # fmt: skip
    header, *rows = read_rows(out)
    assert header[:5] == ['path', 'label', 'probability', 'label_2', 'probability_2']
    assert [row[0] for row in rows] == sorted(map(str, classifier.photos.iterdir()))
    assert [int(row[1]) for row in rows] == classifier.expected.argmax(1).tolist()
    assert np.allclose(probabilities(out), classifier.expected, atol=2e-6)


def test_patterns_top_k_and_the_picture(classifier, tmp_path, capsys):
    out = tmp_path / 'a.csv'
    one = classifier.photos / '03.png'
    pattern = f'{classifier.photos}/0*.png'
    predict(classifier.folder, one, pattern, '--out', out, '--top-k', 2, '--show')
    header, *rows = read_rows(out)
    assert len(header) == 5
    names = [row[0].rpartition('/')[2] for row in rows]
    assert names == ['03.png', *(f'0{i}.png' for i in range(10) if i != 3)]
    with Image.open(tmp_path / 'a.png') as picture:
        assert min(picture.size) > 300
    assert '10 of 10 photos predicted' in capsys.readouterr().out


def test_unreadable_photos_are_listed_and_skipped(classifier, tmp_path, capsys):
    photos = tmp_path / 'photos'
    shutil.copytree(classifier.photos, photos)
    (photos / '01.png').write_bytes(b'no picture')
    data = (photos / '05.png').read_bytes()
    (photos / '05.png').write_bytes(data[: len(data) // 2])
    out = tmp_path / 'out.csv'
    line = error_of(classifier.folder, photos, '--out', out, '--strict')
    assert '01.png' in line and not out.exists()
    predict(classifier.folder, photos, '--out', out, '--top-k', 10)
    printed = capsys.readouterr()
    assert '22 of 24 photos predicted' in printed.out
    assert [line.split()[1] for line in printed.err.splitlines()] == [
        str(photos / '01.png'), str(photos / '05.png'),
    ]  # fmt: skip
    kept = [i for i in range(24) if i not in (1, 5)]
    assert np.allclose(probabilities(out), classifier.expected[kept], atol=2e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.csv', 'photos']


def test_bad_input_is_one_line_and_changes_nothing(classifier, tmp_path):
    out, empty = tmp_path / 'out.csv', tmp_path / 'empty'
    out.write_text('mine')
    empty.mkdir()
    bad = tmp_path / 'bad.jpg'
    bad.write_text('no picture')
    run, photos = classifier.folder, classifier.photos
    assert 'exists already' in error_of(run, photos, '--out', out)
    new = tmp_path / 'new.csv'
    assert 'has no image' in error_of(run, empty, '--out', new)
    assert 'does not exist' in error_of(run, tmp_path / '*.tif', '--out', new)
    assert 'none of the 1 photos' in error_of(run, bad, '--out', new)
    assert '--top-k 0' in error_of(run, photos, '--out', new, '--top-k', 0)
    assert 'no model' in error_of(bad, photos, '--out', new)
    assert 'has no checkpoint' in error_of(empty, photos, '--out', new)
    assert out.read_text() == 'mine' and not new.exists()
    predict(run, photos, '--out', out, '--force')
    assert len(read_rows(out)) == 25


def test_a_pretraining_cannot_predict(encoder, classifier, tmp_path):
    line = error_of(encoder, classifier.photos, '--out', tmp_path / 'a.csv')
    assert 'without a head' in line and 'finetune' in line


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ("type='LinearClsHead'", "type='os.system', command='touch {marker}'"),
        ("type='ImageClassifier'", "type='mmengine.load', file='{marker}'"),
        ('auto_scale_lr=dict(', 'auto_scale_lr=open("{marker}", "w") or dict('),
    ],
)
def test_a_config_in_a_checkpoint_runs_no_code(classifier, tmp_path, old, new):
    marker = tmp_path / 'marker'
    content = torch.load(classifier.checkpoint, weights_only=False)
    assert old in content['meta']['cfg']
    text = content['meta']['cfg'].replace(old, new.format(marker=marker))
    content['meta']['cfg'] = text
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(UserError):
        load_trained(tmp_path / 'a.pth', 'cpu')
    assert not marker.exists()


def test_label_maps_are_those_of_the_test(segmenter, tmp_path):
    out = tmp_path / 'maps'
    predict(segmenter.folder, segmenter.photos, '--out', out)
    spec = load_trained(segmenter.checkpoint, 'cpu').spec
    assert len(spec.palette) == 11 and spec.classes[0] == 'sky'
    for i, expected in enumerate(segmenter.expected):
        labels = np.asarray(Image.open(out / f'{i}.png'))
        assert labels.dtype == np.uint8 and np.array_equal(labels, expected)
        image = np.asarray(Image.open(segmenter.photos / f'{i}.jpg'))
        drawn = np.asarray(Image.open(out / f'overlays/{i}.png'))
        assert np.array_equal(drawn, overlay(image, expected, spec.palette))
    assert 'exists already' in error_of(
        segmenter.folder, segmenter.photos, '--out', out
    )
    shutil.copy(segmenter.photos / '0.jpg', tmp_path / '0.jpg')
    both = [segmenter.photos, tmp_path / '0.jpg', '--out', tmp_path / 'new']
    assert 'would both be written' in error_of(segmenter.folder, *both)
    assert 'name a folder' in error_of(
        segmenter.folder, segmenter.photos, '--out', tmp_path / 'a.csv'
    )
