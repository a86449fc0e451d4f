"""SegTable: the scenes of one split, with the values of the maps as class numbers."""

import pytest

pytest.importorskip('mmseg', reason='mmsegmentation is not installed')

from bootmae_plugin import UserError  # noqa: E402
from bootmae_plugin.datasets.labels import Row, write_table  # noqa: E402
from bootmae_plugin.segmentation import SegTable  # noqa: E402
from tests.image_files import picture  # noqa: E402

PIPELINE = [
    dict(type='mmseg.LoadImageFromFile'),
    dict(type='mmseg.LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]


@pytest.fixture
def table(tmp_path):
    rows = []
    for name, split, value in (('a', 'train', 255), ('b', 'val', 0)):
        picture(tmp_path / f'{name}.png')
        picture(tmp_path / f'{name}_mask.png', value=value, mode='L')
        files = (str(tmp_path / f'{name}{end}.png') for end in ('', '_mask'))
        rows.append(Row(*files, split))
    write_table(tmp_path / 'labels.csv', rows)
    return tmp_path / 'labels.csv'


def data_set(table, split, values=(0, 255), **options):
    classes = ['background', 'foreground']
    return SegTable(str(table), split, classes, values, pipeline=PIPELINE, **options)


def test_the_values_of_the_maps_become_class_numbers(table):
    for split, number in (('train', 1), ('val', 0)):
        data = data_set(table, split)
        assert len(data) == 1
        labels = data[0]['data_samples'].gt_sem_seg.data
        assert labels.unique().tolist() == [number]
    assert data.metainfo['classes'] == ['background', 'foreground']


def test_without_values_255_is_ignored(table):
    labels = data_set(table, 'train', None)[0]['data_samples'].gt_sem_seg.data
    assert labels.unique().tolist() == [255]


def test_what_does_not_fit_is_one_line(table):
    with pytest.raises(UserError, match="no image of the split 'test'"):
        data_set(table, 'test')
    with pytest.raises(UserError, match='3 values for 2 classes'):
        data_set(table, 'train', (0, 1, 2))
    picture(table.parent / 'a_mask.png', (8, 9), value=0, mode='L')
    with pytest.raises(UserError, match='a_mask.png is 9x8'):
        data_set(table, 'train')
    (table.parent / 'a_mask.png').unlink()
    with pytest.raises(UserError, match='a_mask.png cannot be read'):
        data_set(table, 'train')
