"""SegFolder: its samples, and an error in one line for each kind of wrong data."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')

from bootmae_plugin import UserError
from bootmae_plugin.segmentation import SegFolder
from tests.segmentation.seg_data import camvid

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
CLASSES = [f'class {i}' for i in range(11)]


@pytest.fixture
def data(tmp_path):
    init_default_scope('mmseg')
    return camvid(tmp_path / 'camvid')


def folder(data, **kwargs):
    options = dict(
        data_root=str(data), split='train', classes=CLASSES, ignore_index=11,
        pipeline=PIPELINE,
    )  # fmt: skip
    return SegFolder(**{**options, **kwargs})


def test_samples_equal_the_files(data):
    dataset = folder(data)
    assert len(dataset) == 4
    sample = dataset[2]
    with Image.open(data / 'ann_dir/train/2.png') as label:
        expected = torch.from_numpy(np.asarray(label).astype('int64'))
    assert torch.equal(sample['data_samples'].gt_sem_seg.data[0].long(), expected)
    with Image.open(data / 'img_dir/train/2.jpg') as image:  # mmcv loads B, G, R
        assert np.array_equal(sample['inputs'].flip(0).permute(1, 2, 0), image)


def test_a_missing_map(data):
    (data / 'ann_dir/train/1.png').unlink()
    with pytest.raises(UserError, match=r'1 of 4 images .* no label map .*1\.jpg'):
        folder(data)


def test_a_map_of_another_size(data):
    Image.new('L', (240, 181)).save(data / 'ann_dir/train/3.png')
    with pytest.raises(UserError, match=r'3\.png is 240x181, the image 240x180'):
        folder(data)


@pytest.mark.parametrize('workers', [0, 1])
def test_a_label_outside_the_classes(data, workers):
    # 11 is void in CamVid; with another ignore_index it is no class.
    dataset = folder(data, ignore_index=255)
    loader = torch.utils.data.DataLoader(
        dataset, num_workers=workers, collate_fn=lambda samples: samples
    )
    with pytest.raises(UserError, match=r'has the label 11, but there are 11 classes'):
        list(loader)
    assert len(list(torch.utils.data.DataLoader(folder(data), collate_fn=len))) == 4


def test_a_missing_folder_suffix_or_color(data):
    with pytest.raises(UserError, match=r'img_dir/dev does not exist'):
        folder(data, split='dev')
    with pytest.raises(UserError, match=r'no image \*\.tif found'):
        folder(data, img_suffix='.tif')
    with pytest.raises(UserError, match='palette has 2 colors for 11 classes'):
        folder(data, palette=[[0, 0, 0], [1, 1, 1]])


def test_a_truncated_map(data):
    (data / 'ann_dir/train/0.png').write_bytes(b'cut short')
    with pytest.raises(UserError, match=r'0\.png cannot be read'):
        folder(data)
