"""Photos become shards completely or not at all."""

import json
import tarfile

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.cli.prepare_data import main
from bootmae_plugin.preparation.shards import prepare_shards
from tests.image_files import left, picture

pytest.importorskip('webdataset')


@pytest.fixture
def photos(tmp_path):
    for i in range(5):
        picture(tmp_path / f'photos/{i % 2}/{i}.jpg')
    (tmp_path / 'photos/notes.txt').write_text('no image')
    return tmp_path / 'photos'


def test_the_command_writes_shards_and_says_how_to_train(photos, tmp_path, capsys):
    out = tmp_path / 'out'
    words = ['shards', '--from', str(photos), '--out', str(out), '--seed', '1']
    main(words)
    said = capsys.readouterr().out
    assert said.startswith(f'shards: 5 images, 1 shards in {out}, done')
    assert f'train bootmae_deit-tiny_shards --cfg-options data_root={out}/train' in said
    (entry,) = json.loads((out / 'train/index.json').read_text())['shardlist']
    shard = out / 'train' / entry['url']
    assert entry == dict(url='00000.tar', nsamples=5, filesize=shard.stat().st_size)
    with tarfile.open(shard) as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar}
    assert {name.partition('/')[0] for name in content} == {'0', '1'}
    assert sorted(content.values()) == sorted(
        path.read_bytes() for path in photos.rglob('*.jpg')
    )  # the files as they are
    main(words)
    assert 'already prepared' in capsys.readouterr().out
    main([*words[:3], '--out', str(tmp_path / 'again'), '--seed', '1'])
    assert (tmp_path / 'again/train/00000.tar').read_bytes() == shard.read_bytes()


def test_unreadable_photos_are_refused_or_left_out(photos, tmp_path):
    (photos / '0/0.jpg').write_bytes(b'no image')
    with pytest.raises(UserError, match='1 of 5 images are unreadable: 0/0.jpg'):
        prepare_shards(tmp_path / 'out', photos)
    assert left(tmp_path / 'out') == []
    manifest, _ = prepare_shards(tmp_path / 'out', photos, skip_bad=True)
    assert manifest['counts'] == {'images': 4, 'shards': 1, 'unreadable': 1}
    assert '0/0.jpg' in (tmp_path / 'out/unreadable.txt').read_text()


def test_a_disk_without_room_is_one_line_before_anything_is_written(
    photos, tmp_path, monkeypatch
):
    usage = type('usage', (), dict(free=1000))
    monkeypatch.setattr('shutil.disk_usage', lambda path: usage)
    with pytest.raises(UserError, match='the shards take 0.0 GB.*free some space'):
        prepare_shards(tmp_path / 'out', photos)
    assert left(tmp_path / 'out') == []
