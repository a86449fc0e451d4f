"""Images of tar shards are those of the folder they were written from."""

import http.server
import json
import pickle
import sys
import tarfile
import threading
from functools import partial

import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.configuration.variables import load_with_variables
from bootmae_plugin.datasets import WebDatasetShards, shards
from bootmae_plugin.preparation.shards import member_name, prepare_shards
from tests.reliability.resuming import assert_same, losses, train
from tests.tiny import ROOT

pytest.importorskip('webdataset')
PACK = [dict(type='mmpretrain.PackInputs')]


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """23 photos in two folders; the pixel at the corner tells them apart."""
    root = tmp_path_factory.mktemp('shards') / 'photos'
    for i in range(23):
        path = root / f'{"ab"[i % 2]}.x' / f'{i}.{"v2." * (i % 3)}png'
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (9, 7, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return root


@pytest.fixture(scope='module')
def root(photos, monkeymodule):
    """The photos in shards of 5 images, of which the last has 3."""
    import webdataset

    writer = partial(webdataset.ShardWriter)

    def small(pattern, maxcount, **kwargs):
        return writer(pattern, maxcount=5, **kwargs)

    monkeymodule.setattr(webdataset, 'ShardWriter', small)
    manifest, _ = prepare_shards(photos.parent / 'out', photos)
    assert manifest['counts'] == {'images': 23, 'shards': 5}
    return photos.parent / 'out/train'


@pytest.fixture(scope='module')
def monkeymodule():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def open_shards(root, pipeline=PACK) -> WebDatasetShards:
    return WebDatasetShards(str(root), pipeline)


def pixels(sample) -> bytes:
    return sample['inputs'].numpy().tobytes()


def from_folder(photos) -> list[bytes]:
    """The pixels of the photos as the disk pipeline reads them."""
    source = DATASETS.build(
        dict(
            type='mmpretrain.CustomDataset',
            data_root=str(photos),
            with_label=False,
            pipeline=[dict(type='mmpretrain.LoadImageFromFile'), *PACK],
        )
    )
    return [pixels(source[i]) for i in range(len(source))]


def test_the_images_are_those_of_the_folder(photos, root):
    data = open_shards(root)
    read = [pixels(data[i]) for i in range(len(data))]
    assert sorted(read) == sorted(from_folder(photos))
    assert read != from_folder(photos)  # written in random order
    # In any order, from a copy in a worker, and with the path in the sample.
    assert [pixels(data[i]) for i in (7, 6, 22, 0)] == [read[i] for i in (7, 6, 22, 0)]
    assert pixels(pickle.loads(pickle.dumps(data))[8]) == read[8]
    sample = data[5]['data_samples']
    assert sample.img_path.startswith(f'{root}/00001.tar/')
    assert (sample.ori_shape, sample.sample_idx) == ((9, 7), 5)


def test_shards_of_others_are_counted(root, tmp_path):
    expected = open_shards(root)
    for i, shard in enumerate(sorted(root.glob('*.tar'))):
        with (
            tarfile.open(shard) as old,
            tarfile.open(tmp_path / shard.name, 'w') as new,
        ):
            for member in old:
                new.addfile(member, old.extractfile(member))
                member.name = member.name[:-3] + f'seg{i}.png'  # no image, a mask
                new.addfile(member, old.extractfile(member))
    data = open_shards(tmp_path)
    assert data.sizes.tolist() == [5, 5, 5, 5, 3]
    assert [pixels(x) for x in data] == [pixels(x) for x in expected]


def test_a_url_is_read_through_webdataset(root):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(Quiet, directory=root)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f'http://127.0.0.1:{server.server_port}'
        data, expected = open_shards(url), open_shards(root)
        assert data.shards[0] == f'{url}/00000.tar'
        assert [pixels(data[i]) for i in (3, 4, 9)] == [
            pixels(expected[i]) for i in (3, 4, 9)
        ]
        with pytest.raises(UserError, match='index.json cannot be read'):
            open_shards(f'{url}/none')
    finally:
        server.shutdown()


def copy(root, tmp_path):
    for path in root.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_no_shards(tmp_path):
    with pytest.raises(UserError, match='no tar shard.*data shards --from PHOTOS'):
        open_shards(tmp_path)
    with pytest.raises(UserError, match='does not exist'):
        open_shards(tmp_path / 'none')


@pytest.mark.parametrize('keep', [100, 512 * 3 + 100, 512 * 4])
def test_a_truncated_shard_is_one_line(root, tmp_path, keep):
    folder = copy(root, tmp_path)
    shard = folder / '00002.tar'
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(UserError, match='00002.tar has .* bytes, expected') as error:
        open_shards(folder)
    assert '\n' not in str(error.value)
    # Without the size, as at a URL, it is noticed where the data ends.
    index = json.loads((folder / 'index.json').read_text())
    for entry in index['shardlist']:
        del entry['filesize']
    (folder / 'index.json').write_text(json.dumps(index))
    data = open_shards(folder)
    with pytest.raises(UserError, match='00002.tar (is cut off|has fewer)') as error:
        [data[i] for i in range(10, 15)]
    assert '\n' not in str(error.value) and len(str(error.value)) < 300
    assert len(pixels(data[15])) == 9 * 7 * 3  # of the next shard


def test_a_truncated_shard_without_index(root, tmp_path):
    (tmp_path / 'a.tar').write_bytes((root / '00001.tar').read_bytes()[: 512 * 3 - 60])
    with pytest.raises(UserError, match='a.tar is cut off or damaged'):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    'text', ['{', '{}', '{"shardlist": [{"url": "../a.tar", "nsamples": 1}]}']
)
def test_a_wrong_index_is_one_line(tmp_path, text):
    (tmp_path / 'index.json').write_text(text)
    with pytest.raises(UserError, match='is no index of shards'):
        open_shards(tmp_path)


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    (tmp_path / 'x.jpg').write_bytes(b'no image')
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(tmp_path / 'x.jpg', 'x.jpg')
    with pytest.raises(UserError, match=r'a.tar/x.jpg cannot be decoded'):
        open_shards(tmp_path)[0]


def test_without_webdataset_it_is_one_line(root, monkeypatch):
    monkeypatch.setitem(sys.modules, 'webdataset', None)
    with pytest.raises(UserError, match='pip install webdataset'):
        open_shards(root)


def test_names_keep_their_type_and_are_unique():
    assert member_name(7, 'a.b/c.d.JPG') == ('a.b/00000007-c_d', 'jpg')
    assert shards.is_image('a.b/00000007-c_d.jpg') and not shards.is_image('c.d.jpg')


def config(root, epochs=2):
    """The shipped config with a tiny encoder, in float32."""
    cfg = load_with_variables(
        ROOT / 'configs/selfsup/bootmae_deit-tiny_shards.py',
        dict(data_root=str(root), img_size=16, workers=2),
    )
    cfg.model.backbone.arch = dict(embed_dims=24, num_layers=2, num_heads=2)
    cfg.model.neck.update(embed_dims=24, depth=1, num_heads=2)
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.bootstrap.num_stages = 2
    cfg.train_dataloader.batch_size = 8
    cfg.runner_type, cfg.launcher = 'mmpretrain.PluginRunner', 'none'
    return cfg


def test_a_training_resumes_exactly_within_an_epoch(root, tmp_path):
    whole = train(tmp_path / 'whole', cfg=config(root))
    assert len(losses(whole)) == 6  # 23 images in batches of 8, 8 and 7, twice
    run = train(tmp_path / 'run', stop=dict(iteration=2), cfg=config(root))
    train(run, resume=True, cfg=config(root))
    assert losses(run) == losses(whole)
    assert_same(run / 'epoch_2.pth', whole / 'epoch_2.pth')
