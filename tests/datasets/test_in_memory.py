"""Images in memory: sources, labels, whole batches, corrupt images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.datasets.digits import load_digits_rgb
from bootmae_plugin.images import read_image, resize_and_crop


@pytest.fixture
def folder(tmp_path):
    """Three images of each of two classes, of several sizes and modes."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(('cat', 'dog')):
        (tmp_path / name).mkdir()
        for i, size in enumerate(((32, 32), (40, 50), (64, 33))):
            pixels = generator.integers(0, 255, (*size, 3), dtype=np.uint8)
            mode = 'L' if (label, i) == (1, 1) else 'RGB'
            Image.fromarray(pixels).convert(mode).save(tmp_path / name / f'{i}.png')
    return tmp_path


def build(source, **kwargs):
    return DATASETS.build(dict(type='InMemoryImages', source=source, **kwargs))


def test_folder_with_labels(folder):
    data = build(dict(type='ImageFolder', data_root=str(folder)))
    assert data.images.shape == (6, 3, 32, 32)
    assert data.images.dtype == torch.uint8
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.metainfo['classes'] == ('cat', 'dog')
    exact = np.asarray(Image.open(folder / 'cat/0.png'))  # 32x32: unchanged
    assert np.array_equal(data.images[0].permute(1, 2, 0).numpy(), exact)
    resized = Image.open(folder / 'cat/1.png').resize((40, 32), Image.BICUBIC)
    resized = np.asarray(resized.crop((4, 0, 36, 32)))
    assert np.array_equal(data.images[1].permute(1, 2, 0).numpy(), resized)


def test_images_and_crops_of_another_shape(folder):
    """The sizes are lists, as a config gives them."""
    source = dict(type='ImageFolder', data_root=str(folder))
    data = build(source, img_size=[24, 40])
    assert data.images.shape == (6, 3, 24, 40)
    # 40x50 (height x width) becomes 32x40, of which the central 24 rows remain.
    expected = Image.open(folder / 'cat/1.png').resize((40, 32), Image.BICUBIC)
    expected = np.asarray(expected.crop((0, 4, 40, 28)))
    assert np.array_equal(data.images[1].permute(1, 2, 0).numpy(), expected)
    crop = dict(
        type='BatchRandomResizedCrop',
        size=[12, 20],
        scale=(1, 1),
        ratio=(40 / 24, 40 / 24),
        flip_prob=0,
    )
    preprocessor = MODELS.build(dict(type='BatchDataPreprocessor', augment=crop))
    out = preprocessor(data.__getitems__([1]), training=True)['inputs'][0]
    small = Image.fromarray(expected).resize((20, 24), Image.BICUBIC)
    small = np.asarray(small.resize((20, 12), Image.BICUBIC)).astype(int)
    assert np.abs(out.permute(1, 2, 0).numpy() - small).max() <= 1


def test_folder_without_labels_and_list_files(folder):
    source = dict(type='ImageFolder', data_root=str(folder), with_label=False)
    data = build(source, with_label=False)
    assert len(data) == 6
    assert 'gt_label' not in data.__getitems__([0])

    lines = folder / 'lines.txt'
    lines.write_text('dog/2.png\ncat/0.png\n')
    listed = build(dict(source, ann_file=str(lines)), with_label=False)
    assert torch.equal(listed.images, data.images[[5, 0]])

    lines.write_text('dog/2.png 7\ncat/0.png 3\n')
    source = dict(type='ImageFolder', data_root=str(folder), ann_file=str(lines))
    assert build(source).labels.tolist() == [7, 3]


def test_a_batch_is_one_indexing_and_every_image_comes_once(folder):
    cfg = dict(
        batch_size=4,
        num_workers=0,
        dataset=dict(
            type='InMemoryImages',
            source=dict(type='ImageFolder', data_root=str(folder)),
            _scope_='mmpretrain',
        ),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='whole_batch'),
    )
    loader = Runner.build_dataloader(cfg, seed=0)
    batches = list(loader)
    assert [len(b['inputs']) for b in batches] == [4, 2]
    ids = torch.cat([b['sample_idx'] for b in batches])
    assert sorted(ids.tolist()) == list(range(6))
    for batch in batches:
        assert torch.equal(batch['inputs'], loader.dataset.images[batch['sample_idx']])
        assert torch.equal(
            batch['gt_label'], loader.dataset.labels[batch['sample_idx']]
        )


def test_preprocessor_normalizes_and_never_augments_evaluation(folder):
    data = build(dict(type='ImageFolder', data_root=str(folder)))
    preprocessor = MODELS.build(
        dict(
            type='BatchDataPreprocessor',
            mean=[1.0, 2.0, 3.0],
            std=[4.0, 5.0, 6.0],
            augment=dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 0.3)),
        )
    )
    out = preprocessor(data.__getitems__([4, 1]), training=False)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([1, 2, 3], [4, 5, 6]))
    assert torch.equal(out['inputs'], (data.images[[4, 1]].float() - mean) / std)
    assert [int(s.gt_label) for s in out['data_samples']] == [1, 0]
    assert [s.sample_idx for s in out['data_samples']] == [4, 1]
    augmented = preprocessor(data.__getitems__([4, 1]), training=True)['inputs']
    assert not torch.equal(augmented, out['inputs'])


def test_mixup_and_one_hot_labels_work_as_in_mmpretrain(folder):
    data = build(dict(type='ImageFolder', data_root=str(folder)))
    preprocessor = MODELS.build(
        dict(
            type='BatchDataPreprocessor',
            num_classes=2,
            batch_augments=dict(augments=[dict(type='Mixup', alpha=0.8)]),
        )
    )
    out = preprocessor(data.__getitems__(range(6)), training=True)
    scores = torch.stack([s.gt_score for s in out['data_samples']])
    assert torch.allclose(scores.sum(dim=1), torch.ones(6))


def test_a_corrupt_image_is_named_and_skipping_is_a_choice(folder):
    (folder / 'cat/1.png').write_bytes(b'not an image')
    source = dict(type='ImageFolder', data_root=str(folder))
    with pytest.raises(UserError, match=r'1 of 6 images cannot.*cat/1.png'):
        build(source)
    data = build(source, on_error='skip')
    assert len(data) == 5
    assert data.labels.tolist() == [0, 0, 1, 1, 1]


def test_truncated_jpeg_is_reported(folder):
    path = folder / 'cat/3.jpg'
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match=r'cat/3.jpg'):
        build(dict(type='ImageFolder', data_root=str(folder)))


@pytest.mark.parametrize(
    ('make', 'source', 'words'),
    [
        (None, dict(), r'data folder .*missing does not exist'),
        ('missing', dict(), r'has no sub-folders'),
        ('missing', dict(with_label=False), r'no image was found|Found 0'),
        ('missing/cat', dict(), r'no image was found|Found 0'),
        ('missing', dict(ann_file='no.txt'), r'list file no.txt does not exist'),
    ],
)
def test_missing_or_empty_folder(tmp_path, make, source, words):
    if make:
        (tmp_path / make).mkdir(parents=True)
    path = str(tmp_path / 'missing')
    with pytest.raises(UserError, match=words) as error:
        build(dict(type='ImageFolder', data_root=path, **source))
    assert '\n' not in str(error.value)


def test_labels_missing_for_evaluation(folder):
    lines = folder / 'lines.txt'
    lines.write_text('cat/0.png 0\ndog/1.png\n')
    source = dict(type='ImageFolder', data_root=str(folder))
    with pytest.raises(UserError, match=r'line 2 has no label: write the path'):
        build(dict(source, ann_file=str(lines)))
    with pytest.raises(UserError, match=r'6 images have no label'):
        build(dict(source, with_label=False))


def test_labels_outside_the_classes(folder):
    lines = folder / 'lines.txt'
    lines.write_text('cat/0.png 0\ndog/1.png 5\n')
    source = dict(type='ImageFolder', data_root=str(folder), ann_file=str(lines))
    with pytest.raises(UserError, match=r'labels run from 0 to 5.*2 classes'):
        build(dict(source, classes=['cat', 'dog']))


def test_digits_are_a_fixed_stratified_split():
    train, test = load_digits_rgb('train'), load_digits_rgb('test')
    assert train[0].shape == (1437, 32, 32, 3)
    assert test[0].shape == (360, 32, 32, 3)
    assert train[0].dtype == np.uint8
    assert train[0].max() == 255
    share = np.bincount(test[1]) / np.bincount(np.concatenate([train[1], test[1]]))
    assert np.abs(share - 0.2).max() < 0.01
    assert np.array_equal(test[1], load_digits_rgb('test')[1])
    with pytest.raises(UserError, match="split='val'"):
        load_digits_rgb('val')


def test_cifar10_copy_takes_an_image_folder(tmp_path):
    from mmpretrain.datasets.categories import CIFAR10_CATEGORIES

    for split in ('train', 'test'):
        for name in CIFAR10_CATEGORIES:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new('RGB', (32, 32)).save(tmp_path / split / name / '0.jpg')
    source = dict(type='CIFAR10Copy', data_root=str(tmp_path), split='test')
    assert build(source).labels.tolist() == list(range(10))
    (tmp_path / 'test/whale').mkdir()
    Image.new('RGB', (32, 32)).save(tmp_path / 'test/whale/0.jpg')
    with pytest.raises(UserError, match='whale.*expected those of CIFAR-10'):
        build(source)


def test_cifar10_copy_reads_official_pickles(tmp_path, monkeypatch):
    """Pickles of the official layout, with the checksums of these few images."""
    import hashlib
    import pickle

    from bootmae_plugin.datasets import CIFAR10Copy

    base = tmp_path / 'cifar-10-batches-py'
    base.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (4, 3072), dtype=np.uint8)
    content = pickle.dumps({'data': pixels, 'labels': [3, 1, 2, 9]})
    (base / 'test_batch').write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(CIFAR10Copy, 'train_list', [])
    monkeypatch.setattr(CIFAR10Copy, 'test_list', [['test_batch', md5]])
    monkeypatch.setattr(CIFAR10Copy, 'meta', dict(filename='test_batch', md5=md5))
    source = dict(type='CIFAR10Copy', data_root=str(tmp_path), split='test')
    data = build(source)
    assert data.labels.tolist() == [3, 1, 2, 9]
    assert np.array_equal(data.images.numpy().reshape(4, 3072), pixels)
    # Another file in its place is not unpickled, and stays.
    (base / 'test_batch').write_bytes(pickle.dumps(Path.home) + b'x')
    with pytest.raises(UserError, match='not the official data.*bootmae data'):
        build(source)
    assert (base / 'test_batch').read_bytes().endswith(b'x')


def test_large_jpegs_are_decoded_at_a_fraction_of_their_size(tmp_path):
    y, x = np.mgrid[:600, :800]
    waves = [127 + 100 * np.sin(x / 40), 127 + 100 * np.cos(y / 30), (x + y) / 6]
    path = tmp_path / 'large.jpg'
    Image.fromarray(np.stack(waves, -1).astype(np.uint8)).save(path, quality=95)
    found = read_image(dict(img_path=str(path)), (32, 32))
    whole = np.asarray(resize_and_crop(Image.open(path), (32, 32)))
    assert found.shape == (32, 32, 3)
    difference = np.abs(found.astype(int) - whole)
    assert 0 < difference.max() <= 4 and difference.mean() < 1
    exact = read_image(dict(img_path=str(path)), (300, 400))  # less than twice
    assert np.array_equal(exact, resize_and_crop(Image.open(path), (300, 400)))
