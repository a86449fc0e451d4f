"""Archives are unpacked completely, or refused in one line with nothing left."""

import io
import itertools
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bootmae_plugin.errors import UserError
from bootmae_plugin.preparation import archives, prepare
from tests.image_files import camvid_images, left, pack


def make_bad(path: Path, case: str) -> Path:
    if case.startswith('zip'):
        with zipfile.ZipFile(path, 'w') as archive:
            info = zipfile.ZipInfo('../up' if case == 'zip-dots' else 'link')
            info.external_attr = (0o120777 if case == 'zip-link' else 0o100644) << 16
            archive.writestr(info, 'x')
        return path
    names = {'absolute': '/tmp/abs', 'dots': 'a/../../up', 'backslash': '..\\up'}
    kinds = {
        'symlink': tarfile.SYMTYPE,
        'hardlink': tarfile.LNKTYPE,
        'fifo': tarfile.FIFOTYPE,
        'device': tarfile.CHRTYPE,
    }
    with tarfile.open(path, 'w') as tar:
        info = tarfile.TarInfo(names.get(case, 'member'))
        info.type, info.linkname = kinds.get(case, tarfile.REGTYPE), 'target'
        for _ in range(2 if case == 'twice' else 1):
            tar.addfile(info, io.BytesIO())
    return path


CASES = 'absolute dots backslash symlink hardlink fifo device twice zip-dots zip-link'


@pytest.mark.parametrize('case', CASES.split())
def test_unsafe_archive_is_refused_as_a_whole(tmp_path, case):
    bad = make_bad(tmp_path / 'bad', case)
    with pytest.raises(UserError, match=r'member|up|link') as caught:
        prepare.prepare_camvid(tmp_path / 'out', bad)
    assert '\n' not in str(caught.value)
    assert left(tmp_path / 'out') == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ['bad', 'out']


@pytest.mark.parametrize('ending', ['tar', 'tar.gz', 'tar.xz', 'zip'])
def test_bomb_is_refused_before_it_is_written(tmp_path, ending):
    (tmp_path / 'bomb').mkdir()
    (tmp_path / 'bomb' / 'zeros').write_bytes(bytes(1 << 20))
    archive = pack(tmp_path / 'bomb', ending)
    (tmp_path / 'into').mkdir()
    with pytest.raises(UserError, match=r'bomb/zeros.* exceeds 1,000,000 bytes'):
        archives.extract(archive, tmp_path / 'into', max_bytes=1_000_000)
    assert not (tmp_path / 'into/bomb/zeros').exists()
    with pytest.raises(UserError, match='or 1 members'):
        archives.extract(archive, tmp_path / 'into', max_members=1)


@pytest.mark.parametrize('ending', ['tar', 'tar.gz', 'tar.xz', 'zip'])
def test_cut_archive_leaves_nothing(tmp_path, ending):
    archive = pack(camvid_images(tmp_path / 'camvid'), ending)
    whole = archive.read_bytes()
    # A plain tar's blocks are 512 bytes: member boundaries are among these cuts.
    cuts = [0, 1, 511, *range(512, len(whole), 1536 if ending == 'tar' else 509)]
    if ending == 'tar':  # only the zero blocks at the end may be missing in part
        cuts = [c for c in cuts if any(whole[c - 512 :])]
    for cut in [*cuts, len(whole) - 1]:
        archive.write_bytes(whole[:cut])
        if ending == 'tar' and cut == len(whole) - 1:
            continue
        with pytest.raises(UserError, match='get it again') as caught:
            prepare.prepare_camvid(tmp_path / 'out', archive)
        assert '\n' not in str(caught.value)
        assert left(tmp_path / 'out') == [], cut
    archive.write_bytes(whole)
    assert prepare.prepare_camvid(tmp_path / 'out', archive)[1]


@pytest.mark.parametrize('ending', ['tar', 'tar.gz', 'tar.xz', 'zip'])
def test_damaged_archive_is_noticed(tmp_path, ending):
    archive = pack(camvid_images(tmp_path / 'camvid'), ending)
    damaged = bytearray(archive.read_bytes())
    if ending == 'tar':  # the header of a member in the middle; content has no sum
        damaged[damaged.index(b'camvid/img_dir/val')] ^= 1
    else:
        damaged[len(damaged) // 2] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(UserError):
        prepare.prepare_camvid(tmp_path / 'out', archive)
    assert left(tmp_path / 'out') == []


def header(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Of a member of a tar, with a right checksum; its size may be negative."""
    info = tarfile.TarInfo('member')
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    # Base 256, as GNU tar writes what octal digits cannot.
    block[124:136] = (0xFF if size < 0 else 0x80).to_bytes(1, 'big') + size.to_bytes(
        11, 'big', signed=True
    )
    block[148:156] = b' ' * 8
    block[148:156] = b'%06o\0 ' % sum(block)
    return bytes(block)


CHAIN = [header(512, tarfile.XHDTYPE), b'12 path=abc\n'.ljust(512, b'\0')] * 2000


@pytest.mark.parametrize(
    ('blocks', 'match'),
    [
        # tarfile would read these into memory, where a gzip has a terabyte in a few MB.
        ([header(1 << 40, tarfile.XHDTYPE)], 'announces 1,099,511,627,776 bytes'),
        ([header(-512, tarfile.XGLTYPE)], 'announces -512 bytes'),
        ([header(1 << 40, tarfile.GNUTYPE_LONGNAME)], 'a header announces'),
        # It would count against the other members, and lead tarfile back in a circle.
        ([header(-512), header(0)], r"'member' announces -512 bytes"),
        (CHAIN, 'recursion'),
    ],
)
def test_headers_that_would_hurt_the_reader(blocks, match, tmp_path):
    archive = tmp_path / 'bad.tar'
    archive.write_bytes(b''.join(blocks) + bytes(1024))
    with pytest.raises(UserError, match=match) as caught:
        prepare.prepare_camvid(tmp_path / 'out', archive)
    assert '\n' not in str(caught.value)
    assert left(tmp_path / 'out') == []


def test_a_full_disk_is_not_the_archives_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    archive = pack(camvid_images(tmp_path / 'camvid'), 'tar')
    monkeypatch.setattr(tarfile, 'copyfileobj', full)
    with pytest.raises(OSError, match='No space left'):
        prepare.prepare_camvid(tmp_path / 'out', archive)
    assert left(tmp_path / 'out') == []


def whole_archives() -> list[bytes]:
    """A small one of each kind, with long and odd names, and a sparse member."""
    made = []
    for mode, kind in [*itertools.product(['w', 'w:gz'], [1, 2]), ('w:xz', 2)]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=kind) as tar:
            for name in ('a/b.jpg', 'x' * 120 + '/' + 'y' * 110, 'ü/ß.png'):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = 700, 1.5
                tar.addfile(info, io.BytesIO(bytes(range(100)) * 7))
            info = tarfile.TarInfo('sparse')
            info.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0'}
            info.size = 600
            tar.addfile(info, io.BytesIO(b'2\n1\n2\n' + bytes(594)))
        made.append(buffer.getvalue())
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w', compression) as archive:
            archive.writestr('a/b.jpg', bytes(range(100)) * 7)
        made.append(buffer.getvalue())
    return made


@st.composite
def damaged(draw) -> bytes:
    """One of them with bytes changed, copied or cut; a tar's checksums are mended."""
    data = bytearray(draw(st.sampled_from(whole_archives())))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[place] = draw(st.integers(0, 255))
            case 1:
                text = draw(st.sampled_from([b'-', b'9' * 11, b'=', b'\n', b'\x80']))
                data[place : place + len(text)] = text
            case 2:
                source = draw(st.integers(0, len(data) - 1))
                data[place:place] = data[source : source + 512]
            case 3:
                del data[max(place, 1) :]
    for start in range(0, len(data) - 511, 512):
        block = data[start : start + 512]
        if block[257:262] == b'ustar':
            block[148:156] = b' ' * 8
            data[start + 148 : start + 156] = b'%06o\0 ' % (sum(block) % 8**6)
    return bytes(data)


def test_a_folder_may_be_listed_twice(tmp_path):
    archive = pack(camvid_images(tmp_path / 'camvid'), 'tar')
    with tarfile.open(archive, 'a') as tar:
        tar.add(tmp_path / 'camvid/img_dir', 'camvid/img_dir', recursive=False)
    assert prepare.prepare_camvid(tmp_path / 'out', archive)[1]


def test_an_old_python_without_filters_is_named(tmp_path, monkeypatch):
    archive = pack(camvid_images(tmp_path / 'camvid'), 'tar')
    monkeypatch.delattr(tarfile, 'data_filter')
    with pytest.raises(UserError, match=r'cannot unpack tar archives safely.*--from'):
        prepare.prepare_camvid(tmp_path / 'out', archive)
    assert left(tmp_path / 'out') == []


def test_generated_archives(tmp_path):
    refused, counter = [], itertools.count()

    @settings(
        derandomize=True, deadline=None, phases=[Phase.generate], max_examples=300
    )
    @given(damaged())
    def check(data):
        archive = tmp_path / f'{next(counter)}.bin'
        archive.write_bytes(data)
        into = archive.with_suffix('')
        into.mkdir()
        try:
            archives.extract(archive, into, max_bytes=1 << 20, max_members=1000)
        except UserError as error:
            assert '\n' not in str(error) and str(archive) in str(error)
            refused.append(str(error))
        assert archive.read_bytes() == data

    check()
    assert len(refused) >= 100
