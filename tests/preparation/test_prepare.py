"""Data preparation is complete or leaves nothing, and changes no file of the user."""

import gzip
import hashlib
import http.server
import os
import pickle
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from bootmae_plugin.datasets import digits
from bootmae_plugin.errors import UserError
from bootmae_plugin.preparation import bundled, prepare, publish
from bootmae_plugin.preparation.folder import prepare_folder
from bootmae_plugin.preparation.labels import read_labels
from tests.image_files import camvid_images, cifar_images, left, pack, picture
from tests.tiny import ROOT, run_tool

SHARED = Path(os.environ.get('BOOTMAE_SHARED', ROOT.parent / 'shared'))
CAMVID = SHARED / 'data' / 'camvid-240x180.tar'
DEBIAN = Path(prepare.DEBIAN_FASHION_MNIST)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


# ---------------------------------------------------------------- whole or nothing


def test_found_again_and_never_overwritten(tmp_path):
    source, out = camvid_images(tmp_path / 'camvid'), tmp_path / 'out'
    manifest, fresh = prepare.prepare_camvid(out, source)
    assert fresh and manifest['counts'] == {'train': 2, 'val': 2, 'test': 2}
    assert prepare.prepare_camvid(out, source) == (manifest, False)
    with pytest.raises(UserError, match='was prepared with dataset'):
        bundled.prepare_digits(out)
    picture(source / 'img_dir/train/more.png')
    with pytest.raises(UserError, match='was prepared with source'):
        prepare.prepare_camvid(out, source)
    (source / 'img_dir/train/more.png').unlink()
    (out / 'ann_dir/val/0.png').unlink()
    with pytest.raises(UserError, match='ann_dir was deleted or changed'):
        prepare.prepare_camvid(out, source)
    (out / publish.MANIFEST).write_text('{')
    with pytest.raises(UserError, match='cannot be read'):
        prepare.prepare_camvid(out, source)


def test_files_of_the_user_stay(tmp_path):
    mine = tmp_path / 'out' / 'ann_dir'
    mine.parent.mkdir()
    mine.write_text('mine')
    with pytest.raises(UserError, match='ann_dir exists and would be overwritten'):
        prepare.prepare_camvid(tmp_path / 'out', camvid_images(tmp_path / 'camvid'))
    assert left(tmp_path / 'out') == ['ann_dir'] and mine.read_text() == 'mine'


def test_continues_after_a_kill(tmp_path, monkeypatch):
    source, out = pack(camvid_images(tmp_path / 'camvid'), 'tar'), tmp_path / 'out'
    (out / '.partial-camvid' / 'unpacked').mkdir(parents=True)  # killed at unpacking
    rename = Path.rename

    def killed(path, target):
        if target == out / 'ann_dir':  # between the two moves of the publication
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, 'rename', killed)
        prepare.prepare_camvid(out, source)
    assert left(out) == ['.partial-camvid', 'img_dir']
    manifest, _ = prepare.prepare_camvid(out, source)
    assert left(out) == [publish.MANIFEST, 'ann_dir', 'img_dir']
    assert publish.fingerprint(out / 'img_dir') == manifest['checksums']['img_dir']


def test_interrupted_work_is_removed(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, 'find_bad', interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare_camvid(tmp_path / 'out', camvid_images(tmp_path / 'camvid'))
    assert left(tmp_path / 'out') == []


def test_a_second_run_is_refused(tmp_path):
    def build(partial):
        with pytest.raises(UserError, match='another run is preparing'):
            bundled.prepare_digits(tmp_path)
        (partial / 'file').write_text('')
        return {}

    publish.build_once(tmp_path, {'dataset': 'other'}, ['file'], build)
    assert left(tmp_path) == [publish.MANIFEST, 'file']


def test_a_run_in_another_process_is_noticed(tmp_path):
    code = (
        'import sys; from filelock import FileLock\n'
        f'with FileLock({str(tmp_path / publish.LOCK)!r}):\n'
        '    print(flush=True); sys.stdin.read()'
    )
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with subprocess.Popen([sys.executable, '-c', code], cwd=ROOT, **pipes) as other:
        other.stdout.readline()
        with pytest.raises(UserError, match='another run is preparing'):
            bundled.prepare_digits(tmp_path)
        other.kill()  # a lock ends with its process
    assert bundled.prepare_digits(tmp_path)[1]


# ---------------------------------------------------------------- CIFAR-10


@pytest.mark.parametrize('ending', ['', 'tar.xz', 'tar.gz', 'tar', 'zip'])
def test_cifar10_images(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(urllib.request, 'urlopen', None)  # --from needs no network
    source = cifar_images(tmp_path / 'cifar10-images')
    before = publish.fingerprint(source)
    given = pack(source, ending) if ending else source
    manifest, _ = prepare.prepare_cifar10(tmp_path / 'out', given, workers=2)
    assert manifest['counts'] == {'train': 30, 'test': 20}
    assert left(tmp_path / 'out') == [publish.MANIFEST, 'test', 'train']
    for name in publish.walk(source):
        assert (tmp_path / 'out' / name).read_bytes() == (source / name).read_bytes()
    assert publish.fingerprint(source) == before


def test_cifar10_refuses_other_images(tmp_path):
    source = cifar_images(tmp_path / 'images')
    (source / 'test/cat/0.png').write_bytes(b'no image')
    with pytest.raises(UserError, match=r'1 of 20 test images.*cat/0.png'):
        prepare.prepare_cifar10(tmp_path / 'out', source)
    (source / 'train/cat').rename(source / 'train/kitten')
    with pytest.raises(UserError, match=r"'train'.*kitten.*expected.*cat"):
        prepare.prepare_cifar10(tmp_path / 'out', source)
    with pytest.raises(UserError, match='does not hold data_batch_1'):
        prepare.prepare_cifar10(tmp_path / 'out', source / 'test')
    with pytest.raises(UserError, match='does not exist'):
        prepare.prepare_cifar10(tmp_path / 'out', source / 'none')
    assert left(tmp_path / 'out') == []


@pytest.fixture
def server():
    """Serves ``server.files``; ``ranges`` and ``cut`` (bytes sent) can be set."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data, start = self.server.files[self.path], 0
            self.server.asked.append(self.headers.get('Range'))
            if self.server.ranges and self.headers.get('Range'):
                start = int(self.headers['Range'][6:-1])
            if start and start >= len(data):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header('Content-Length', str(len(data) - start))
            self.end_headers()
            return self.wfile.write(data[start : self.server.cut])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as served:
        served.files, served.asked, served.ranges, served.cut = {}, [], True, None
        served.url = f'http://127.0.0.1:{served.server_port}/'
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def official(tmp_path, monkeypatch, server):
    """A small 'official' archive that torchvision's class is made to point to."""
    cls = pytest.importorskip('torchvision.datasets').CIFAR10
    folder = tmp_path / cls.base_folder
    folder.mkdir()
    names = [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch', 'batches.meta']
    files = []
    for name in names:
        (folder / name).write_bytes(pickle.dumps(name) + os.urandom(999))
        files.append([name, publish.fingerprint(folder / name)])
    archive = pack(folder, 'tar.gz')
    server.files['/' + cls.filename] = archive.read_bytes()
    monkeypatch.setattr(cls, 'url', server.url + cls.filename)
    monkeypatch.setattr(cls, 'tgz_md5', publish.fingerprint(archive))
    monkeypatch.setattr(cls, 'train_list', files[:5])
    monkeypatch.setattr(cls, 'test_list', files[5:6])
    monkeypatch.setattr(cls, 'meta', {'filename': files[6][0], 'md5': files[6][1]})
    return archive


def test_cifar10_download_continues(tmp_path, official, server):
    out, whole = tmp_path / 'out', official.read_bytes()
    server.cut = 2000
    with pytest.raises(
        UserError, match=r'got 2,000 of .* bytes.*run again to continue'
    ):
        prepare.prepare_cifar10(out)
    assert left(out) == ['cifar-10-python.tar.gz.part']
    server.cut = None
    manifest, _ = prepare.prepare_cifar10(out)
    assert server.asked == [None, 'bytes=2000-']
    assert manifest['counts'] == {'train': 50_000, 'test': 10_000}
    assert (out / 'cifar-10-python.tar.gz').read_bytes() == whole
    assert len(left(out / 'cifar-10-batches-py')) == 7
    assert prepare.prepare_cifar10(out) == (manifest, False)
    assert len(server.asked) == 2
    # Three ways to a finished .part: all of it there, a server without ranges, damage.
    (tmp_path / 'b').mkdir()
    part = tmp_path / 'b' / 'cifar-10-python.tar.gz.part'
    part.write_bytes(whole)
    assert prepare.prepare_cifar10(part.parent)[1] and not part.exists()
    shutil.rmtree(part.parent)
    part.parent.mkdir()
    part.write_bytes(bytes(500))
    with pytest.raises(UserError, match='had MD5 .* and was removed'):
        prepare.prepare_cifar10(part.parent)
    part.write_bytes(bytes(500))
    server.ranges = False
    assert prepare.prepare_cifar10(part.parent)[1]


def test_cifar10_download_errors(tmp_path, official, server):
    (tmp_path / 'cifar-10-python.tar.gz').write_text('mine')
    with pytest.raises(UserError, match='move it away'):
        prepare.prepare_cifar10(tmp_path)
    assert (tmp_path / 'cifar-10-python.tar.gz').read_text() == 'mine'
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r'refused.*--from') as caught:
        prepare.prepare_cifar10(tmp_path / 'out')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kind', ['archive', 'folder'])
def test_cifar10_official_from(tmp_path, monkeypatch, official, kind):
    monkeypatch.setattr(urllib.request, 'urlopen', None)
    folder = tmp_path / 'cifar-10-batches-py'
    source = official if kind == 'archive' else folder
    assert prepare.prepare_cifar10(tmp_path / 'out', source)[1]
    assert left(tmp_path / 'out/cifar-10-batches-py') == left(folder)
    (folder / 'test_batch').write_bytes(b'other')
    with pytest.raises(
        UserError, match='test_batch is missing or does not have the MD5'
    ):
        prepare.prepare_cifar10(tmp_path / 'out2', folder)
    assert left(tmp_path / 'out2') == []


# ---------------------------------------------------------------- Fashion-MNIST


def test_fashion_mnist_download_and_from(tmp_path, monkeypatch, server):
    cls = pytest.importorskip('torchvision.datasets').FashionMNIST
    plain = {name: name.encode() * 9 for name in prepare.FASHION_MNIST_MD5}
    packed = {f'{name}.gz': gzip.compress(data) for name, data in plain.items()}
    server.files = {f'/{name}': data for name, data in packed.items()}
    monkeypatch.setattr(cls, 'mirrors', [server.url])
    monkeypatch.setattr(cls, 'resources', [(n, md5(d)) for n, d in packed.items()])
    sums = {name: md5(data) for name, data in plain.items()}
    monkeypatch.setattr(prepare, 'FASHION_MNIST_MD5', sums)
    monkeypatch.setattr(prepare, 'DEBIAN_FASHION_MNIST', str(tmp_path / 'none'))
    manifest, _ = prepare.prepare_fashion_mnist(tmp_path / 'out')
    assert manifest['checksums'] == sums
    given = tmp_path / 'given'
    given.mkdir()
    for name, data in packed.items():
        (given / name).write_bytes(data)
    assert prepare.prepare_fashion_mnist(tmp_path / 'out2', given)[1]
    (given / name).write_bytes(data[:-9])
    with pytest.raises(UserError, match=f'{name} is damaged'):
        prepare.prepare_fashion_mnist(tmp_path / 'out3', given)
    (given / name).write_bytes(gzip.compress(b'other'))
    with pytest.raises(UserError, match=f'{name} has MD5'):
        prepare.prepare_fashion_mnist(tmp_path / 'out3', given)
    (given / name).unlink()
    with pytest.raises(UserError, match='does not hold the files train-images'):
        prepare.prepare_fashion_mnist(tmp_path / 'out3', given)
    assert left(tmp_path / 'out3') == []


@pytest.mark.filterwarnings('ignore')  # mmpretrain's own, 70,000 under numpy 2
@pytest.mark.skipif(not DEBIAN.is_dir(), reason='no dataset-fashion-mnist (Debian)')
def test_mmpretrain_loads_fashion_mnist(tmp_path):
    from mmpretrain.datasets import FashionMNIST

    prepare.prepare_fashion_mnist(tmp_path)
    for split, number in (('train', 60_000), ('test', 10_000)):
        kwargs = dict(split=split, test_mode=split == 'test', download=False)
        dataset = FashionMNIST(data_root=str(tmp_path), **kwargs)
        assert len(dataset) == number
        assert dataset.get_data_info(0)['img'].shape == (28, 28)


# ---------------------------------------------------------------- folder


@pytest.fixture
def photos(tmp_path):
    top = tmp_path / 'photos'
    for i in range(10):
        picture(top / 'a b' / f'{i} x.png')
        picture(top / 'c' / 'deep' / f'{i}.JPG')
    (top / 'c' / 'notes.md').write_text('no image')
    (top / 'c' / '._0.png').write_bytes(b'what macOS leaves')
    return top


def test_folder_lists_load_in_mmpretrain(tmp_path, photos):
    from mmpretrain.datasets import CustomDataset

    before, out = publish.fingerprint(photos), tmp_path / 'out'
    manifest, _ = prepare_folder(out, photos, labels=True, val_fraction=0.25)
    assert manifest['counts'] == {'train': 15, 'val': 5, 'classes': 2}
    assert (out / 'classes.txt').read_text() == 'a b\nc\n'
    found = {}
    for name in ('train', 'val'):
        dataset = CustomDataset(
            data_prefix=str(photos), ann_file=str(out / f'{name}.txt'), pipeline=[]
        )
        for info in dataset:
            found[info['img_path']] = info['gt_label']
            assert Path(info['img_path']).is_file()
    assert len(found) == 20 and sum(found.values()) == 10
    assert found[str(photos / 'a b/0 x.png')] == 0
    assert publish.fingerprint(photos) == before
    rows = {row.path: row for row in read_labels(out)}  # what bootmae finetune does
    assert {path: ['a b', 'c'].index(row.label) for path, row in rows.items()} == found
    assert sum(row.split == 'val' for row in rows.values()) == 5


def test_folder_split_is_reproducible(tmp_path, photos):
    def split(name, **kwargs):
        prepare_folder(tmp_path / name, photos, **kwargs)
        return [
            path.read_text().splitlines() if path.exists() else []
            for path in (tmp_path / name / 'train.txt', tmp_path / name / 'val.txt')
        ]

    first = split('one', val_fraction=0.3, seed=1)
    assert first == split('two', val_fraction=0.3, seed=1)
    assert first != split('three', val_fraction=0.3, seed=2)
    everything, nothing = split('four')
    assert nothing == [] and sorted(first[0] + first[1]) == everything
    with pytest.raises(UserError, match='was prepared with seed=1'):
        split('one', val_fraction=0.3, seed=2)
    # The lists may stand beside the images, and are found again there.
    for fresh in (True, False):
        assert prepare_folder(photos, photos)[1] is fresh


def test_folder_names_unreadable_images(tmp_path, photos):
    whole = (photos / 'a b/0 x.png').read_bytes()
    bad = ['a b/5 x.png', 'a b/6 x.png', 'a b/7 x.png', 'c/deep/5.JPG']
    for number, name in enumerate(bad):
        (photos / name).write_bytes(whole[: 40 * number])
    with pytest.raises(UserError, match=r'4 of 20 .*5 x\.png .* and 1 more') as caught:
        prepare_folder(tmp_path / 'out', photos)
    assert '\n' not in str(caught.value) and left(tmp_path / 'out') == []
    manifest, _ = prepare_folder(tmp_path / 'out', photos, skip_bad=True)
    assert manifest['counts'] == {'train': 16, 'unreadable': 4}
    assert not set(bad) & set((tmp_path / 'out/train.txt').read_text().splitlines())
    lines = (tmp_path / 'out/unreadable.txt').read_text().splitlines()
    assert [line.split(':')[0] for line in lines] == bad


def test_folder_errors(tmp_path, photos):
    def fails(message, source=photos, **kwargs):
        with pytest.raises(UserError, match=message):
            prepare_folder(tmp_path / 'out', source, **kwargs)
        assert left(tmp_path / 'out') == []

    (tmp_path / 'empty').mkdir()
    fails('has no images', tmp_path / 'empty')
    fails('not a folder', tmp_path / 'none')
    fails(r'give one in \[0, 1\)', val_fraction=1.0)
    fails('0 for validation', val_fraction=0.01)
    picture(photos / 'top.png')
    fails('top.png is in no class folder', labels=True)
    picture(photos / 'two\nlines.png')
    fails('cannot be in a list file')


# ---------------------------------------------------------------- CamVid, digits, tool


def test_camvid_checks_every_pair(tmp_path):
    def fails(message):
        with pytest.raises(UserError, match=message):
            prepare.prepare_camvid(tmp_path / 'out', source)
        assert left(tmp_path / 'out') == []

    source = camvid_images(tmp_path / 'camvid')
    label_map = source / 'ann_dir/val/1.png'
    picture(label_map, value=12, mode='L')
    fails(r'1 of 2 images.*val/1.png.*label 12')
    picture(label_map, (8, 9), 0, 'L')
    fails(r'val/1.png.*\(9, 8\)')
    picture(label_map, value=(0, 0, 0))
    fails(r'val/1.png.*RGB')
    label_map.rename(source / 'ann_dir/val/2.png')
    fails(r"'val'.*2 images and 2 label maps")
    shutil.rmtree(source / 'ann_dir/val')
    fails(r'2 of 2 images lack a label map')
    shutil.rmtree(source / 'img_dir/val')
    fails(r"'val'.*0 images")


@pytest.mark.skipif(not CAMVID.is_file(), reason=f'no {CAMVID} (set BOOTMAE_SHARED)')
def test_camvid_real(tmp_path):
    manifest, _ = prepare.prepare_camvid(tmp_path, CAMVID)
    assert manifest['counts'] == {'train': 367, 'val': 101, 'test': 117}
    assert len(publish.walk(tmp_path / 'img_dir')) == 367 + 101 + 117
    assert len(publish.walk(tmp_path / 'ann_dir')) == 367 + 101 + 117


def test_digits(tmp_path, monkeypatch):
    pytest.importorskip('sklearn')
    manifest, fresh = bundled.prepare_digits()
    assert not fresh and sum(manifest['counts'].values()) == 1797
    assert bundled.prepare_digits(tmp_path)[0]['counts'] == manifest['counts']
    assert left(tmp_path / 'train') == list('0123456789')
    assert len(publish.walk(tmp_path / 'test')) == manifest['counts']['test']
    digits._resized.cache_clear()
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(UserError, match='pip install scikit-learn'):
        bundled.prepare_digits()


def test_tool_says_what_it_did(tmp_path, capsys):
    source, out = pack(cifar_images(tmp_path / 'images'), 'tar.xz'), tmp_path / 'out'
    for done in ('done in', 'already prepared'):
        run_tool('prepare_data.py', 'cifar10', '--from', source, '--out', out)
        first, second, third = capsys.readouterr().out.splitlines()
        assert first.startswith(f'cifar10: 30 train, 20 test in {out}, {done}')
        assert second.startswith('from: images.tar.xz (md5 ')
        assert third.startswith('next: bootmae train bootmae_deit-tiny_cifar10')
