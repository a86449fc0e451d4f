"""Labels from folders and tables, and the split that is drawn."""

from collections import Counter
from pathlib import Path

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.datasets.labels import Row
from bootmae_plugin.preparation.folder import find_images
from bootmae_plugin.preparation.labels import read_labels, split_labels
from tests.image_files import picture


def rows_of(sizes: dict[str, int], groups=lambda number: '') -> list[Row]:
    rows = [Row(f'{k}{i}', k) for k, size in sizes.items() for i in range(size)]
    return [row._replace(group=groups(number)) for number, row in enumerate(rows)]


def count(rows, split):
    return Counter(row.label for row in rows if row.split == split)


def test_folders_of_classes(tmp_path):
    for name in ('cat/1.png', 'dog/deep/2.png'):
        picture(tmp_path / name)
    assert read_labels(tmp_path) == [
        Row(f'{tmp_path}/cat/1.png', 'cat'),
        Row(f'{tmp_path}/dog/deep/2.png', 'dog'),
    ]


@pytest.mark.parametrize('held_out', ['val', 'valid', 'test'])
def test_folders_with_splits_keep_them(tmp_path, held_out):
    for name in ('train/cat/1.png', 'train/dog/2.png', f'{held_out}/dog/3.png'):
        picture(tmp_path / name)
    rows = split_labels(read_labels(tmp_path))
    expected = 'test' if held_out == 'test' else 'val'
    assert [(row.label, row.split) for row in sorted(rows)] == (
        [('dog', 'test'), ('cat', 'train'), ('dog', 'train')]
        if held_out == 'test'
        else [('cat', 'train'), ('dog', 'train'), ('dog', expected)]
    )


def test_a_class_may_be_called_like_a_split(tmp_path):
    for name in ('train/1.png', 'bus/2.png'):  # vehicles
        picture(tmp_path / name)
    assert {row.label for row in read_labels(tmp_path)} == {'train', 'bus'}


def test_each_class_has_its_share_in_val():
    rows = split_labels(rows_of(dict(a=100, b=13, c=2)), fraction=0.2)
    assert count(rows, 'val') == dict(a=20, b=3, c=1)
    assert count(rows, 'train') == dict(a=80, b=10, c=1)


def test_the_split_depends_on_the_seed_alone():
    rows = rows_of(dict(a=50, b=50))
    first, again, other = (split_labels(rows, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_group_is_never_in_both_splits():
    # 30 patients with 1 to 7 images each, which show one to three classes
    sizes = [1 + number * 5 % 7 for number in range(30)]
    rows = [
        Row(f'{patient}-{i}', 'abc'[(patient + i) % 3], '', f'patient {patient}')
        for patient, size in enumerate(sizes)
        for i in range(size)
    ]
    drawn = split_labels(rows, fraction=0.25)
    train, val = (
        {row.group for row in drawn if row.split == split} for split in ('train', 'val')
    )
    assert not train & val
    assert len(train | val) == 30
    wanted = {label: n / 4 for label, n in Counter(r.label for r in rows).items()}
    assert all(abs(count(drawn, 'val')[k] - n) <= 2 for k, n in wanted.items())


def test_labels_per_class_keeps_the_validation_set():
    rows = rows_of(dict(a=40, b=20))
    full, few = split_labels(rows), split_labels(rows, per_class=5)
    assert count(few, 'train') == dict(a=5, b=5)
    assert [r for r in few if r.split == 'val'] == [r for r in full if r.split == 'val']
    assert len(few) == len(full)
    # ten labels contain the five: a curve over the number of labels is nested
    kept = [
        {r for r in split_labels(rows, per_class=n) if r.split == 'train'}
        for n in (5, 10)
    ]
    assert len(kept[0] & kept[1]) == 10


@pytest.mark.parametrize(
    ('sizes', 'options', 'words'),
    [
        (dict(a=9, b=1), {}, ["the class 'b' has 1 image"]),
        (dict(a=9, b=9), dict(fraction=1.5), ['--val-fraction 1.5']),
        (
            dict(a=9, b=9),
            dict(per_class=8),
            ['--labels-per-class 8', "'a'", '7 images'],
        ),
        (dict(a=9, b=9), dict(per_class=0), ['--labels-per-class 0']),
    ],
)
def test_a_split_that_cannot_be_drawn_is_one_line(sizes, options, words):
    with pytest.raises(UserError) as error:
        split_labels(rows_of(sizes), **options)
    assert all(word in str(error.value) for word in words), error.value


def test_one_group_cannot_be_split():
    with pytest.raises(UserError, match='no --group'):
        split_labels(rows_of(dict(a=4, b=4), lambda number: 'all'))


def test_a_class_without_training_images_is_refused():
    rows = [Row('1', 'a', 'train'), Row('2', 'b', 'val')]
    with pytest.raises(UserError, match="'b' has no image to train on"):
        split_labels(rows)


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        if name.endswith('.png'):
            picture(folder / name)
        else:
            (folder / name).write_bytes(b'')
    return folder


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        ([], ['has no image', '.jpg']),
        (['notes.txt'], ['has no image']),
        (['a.mp4', 'b.MOV'], ['2 videos (a.mp4, ...)', 'ffmpeg -i a.mp4']),
        (['cat/1.png', 'cat/2.png'], ["one class, 'cat'"]),
        (['cat/1.png', 'dog/1.png', 'x.png'], ['x.png is in no class folder']),
    ],
)
def test_a_folder_without_labels_is_one_line(tmp_path, names, words):
    with pytest.raises(UserError) as error:
        read_labels(make(tmp_path / 'photos', *names))
    assert all(word in str(error.value) for word in words), error.value


def test_what_is_no_folder_of_images_is_refused(tmp_path):
    picture(tmp_path / 'a.png')
    with pytest.raises(UserError, match='nowhere does not exist'):
        find_images(tmp_path / 'nowhere')
    with pytest.raises(UserError, match='is a file'):
        find_images(tmp_path / 'a.png')
    with pytest.raises(UserError, match='names a column of a table'):
        read_labels(tmp_path, group='patient')
