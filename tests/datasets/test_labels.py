"""Tables of labeled images: what is read, and what is refused in one line."""

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.datasets import InMemoryImages, LabeledImages
from bootmae_plugin.datasets.labels import Row, read_table, write_table
from tests.image_files import picture


@pytest.fixture
def folder(tmp_path):
    for name in 'abc':
        picture(tmp_path / f'{name}.png', value=(ord(name),) * 3)
    return tmp_path


def table(folder, *lines, encoding='utf-8'):
    path = folder / 'labels.csv'
    path.write_text('\n'.join(lines) + '\n', encoding=encoding)
    return path


@pytest.mark.parametrize('mark', [',', ';', '\t'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_a_table_of_a_spreadsheet(folder, mark, encoding):
    lines = ['label,path,patient', 'kühn,a.png,7', 'zahm,b.png,8']
    path = table(
        folder, *(line.replace(',', mark) for line in lines), encoding=encoding
    )
    assert read_table(path, 'patient') == [
        Row(str(folder / 'a.png'), 'kühn', '', '7'),
        Row(str(folder / 'b.png'), 'zahm', '', '8'),
    ]


def test_a_written_table_is_read_back(folder):
    rows = [
        Row(str(folder / 'a.png'), 'x, "y"', 'train'),
        Row(str(folder / 'b.png'), 'z'),
    ]
    write_table(folder / 'labels.csv', rows)
    assert read_table(folder / 'labels.csv') == rows


@pytest.mark.parametrize(
    ('lines', 'words'),
    [
        (['a.png,cat'], ["no column 'path'", "'a.png,cat'", 'path,label']),
        (['path,class', 'a.png,cat'], ["no column 'label'"]),
        (['path,label'], ['has no image']),
        (['path,label', 'a.png,'], ['line 2 has no label']),
        (['path,label', 'a.png'], ['line 2 has no label']),
        (['path,label', ',cat'], ['line 2 has no path']),
        (['path,label', 'a.png,x', 'b.png,y', './a.png,y'], ['in lines 2 and 4']),
        (['path,label', 'a.png,x', 'b/../a.png,y'], ['in lines 2 and 3']),
        (['path,label', 'a.png,x', 'no.png,y'], ['1 of 2 files', 'line 3: no.png']),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_line(folder, lines, words):
    with pytest.raises(UserError) as error:
        read_table(table(folder, *lines))
    text = str(error.value)
    assert all(word in text for word in words), text
    assert '\n' not in text


def test_another_encoding_and_a_missing_table_are_refused(folder):
    with pytest.raises(UserError, match='not in UTF-8'):
        read_table(table(folder, 'path,label', 'a.png,kühn', encoding='latin-1'))
    with pytest.raises(UserError, match='no.csv does not exist'):
        read_table(folder / 'no.csv')
    with pytest.raises(UserError, match="no column 'patient'"):
        read_table(table(folder, 'path,label', 'a.png,x'), 'patient')


def test_every_split_has_all_classes(folder):
    path = table(folder, 'path,label,split', 'a.png,z,train', 'b.png,y,val', 'c.png,x,')
    train, val = (LabeledImages(str(path), split) for split in ('train', 'val'))
    assert train.metainfo['classes'] == val.metainfo['classes'] == ['x', 'y', 'z']
    assert [train.get_data_info(0)['gt_label'], len(train)] == [2, 1]
    with pytest.raises(UserError, match="no image of the split 'test'.*'train', 'val'"):
        LabeledImages(str(path), 'test')
    source = dict(type='LabeledImages', ann_file=str(path), split='val')
    images = InMemoryImages(source, img_size=8)
    assert images.labels.tolist() == [1]
    assert images.images.unique().tolist() == [ord('b')]
