"""Archives of others, unpacked: plain files and folders within one folder."""

import contextlib
import errno
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .publish import CHUNK, track

# What a member's name can lead to; other errors of the file system are its own.
CLASHES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL)
# Members that describe the next one; tarfile reads them whole.
HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class _Refused(Exception):
    """Why an archive is not unpacked."""


class _Member(tarfile.TarInfo):
    """A member of a tar, which is looked at before tarfile reads what it announces."""

    @classmethod
    def frombuf(cls, *args, **kwargs) -> '_Member':
        member = super().frombuf(*args, **kwargs)
        if member.type in HEADERS and not 0 <= member.size <= CHUNK:
            raise _Refused(f'a header announces {member.size:,} bytes')
        return member


def _tar_members(path: Path) -> Iterator[tuple]:
    """Yield (name, kind, size, open) of a tar; end by proving that it is complete."""
    with tarfile.open(path, 'r:*', tarinfo=_Member) as tar:
        for member in tar:
            plain = (member.isdir() or member.isreg()) and not member.issparse()
            kind = ('folder' if member.isdir() else 'file') if plain else 'special'
            yield member.name, kind, member.size, lambda m=member: tar.extractfile(m)
        # tarfile takes a cut or damaged header for the end of the archive. A real end
        # is zero blocks; reading them to the last has gzip and xz verify their sum.
        tar.fileobj.seek(tar.offset)
        rest = tar.fileobj.read(CHUNK)
        complete = len(rest) >= tarfile.BLOCKSIZE and not any(rest)
        while complete and (rest := tar.fileobj.read(CHUNK)):
            complete = not any(rest)
        if not complete:
            raise tarfile.ReadError('the end of the archive is missing or damaged')


def _zip_members(path: Path) -> Iterator[tuple]:
    """The same of a zip, whose reader verifies each member's checksum."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            plain = mode in (0, stat.S_IFREG, stat.S_IFDIR) and not info.flag_bits & 1
            kind = ('folder' if info.is_dir() else 'file') if plain else 'special'
            yield info.filename, kind, info.file_size, lambda i=info: archive.open(i)


def _members(path: Path) -> Iterator[tuple]:
    is_zip = zipfile.is_zipfile(path) and not tarfile.is_tarfile(path)
    yield from (_zip_members if is_zip else _tar_members)(path)


def _unsafe(name: str, kind: str, size: int) -> str | None:
    if kind == 'special':
        return 'is a link, special or encrypted'
    if name.startswith('/') or name[1:2] == ':':
        return 'has an absolute name'
    if '..' in name.split('/'):
        return "has '..' in its name"
    if size < 0:
        return f'announces {size:,} bytes'
    return 'has an unusual name' if not name or set('\\\0') & set(name) else None


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """One line for what each reader and codec raises in its own way."""
    try:
        yield
    except _Refused as why:
        raise UserError(
            f'refused {path}: {why}, nothing was kept: get the archive from a source '
            'you trust'
        ) from None
    except Exception as error:
        number = getattr(error, 'errno', None)
        if number is not None and number not in CLASHES:
            raise  # of the disk, as where it is full
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(':')
        raise UserError(
            f'{path} is not a complete tar or zip archive ({reason}): get it again'
        ) from error


def extract(
    path: Path, into: Path, max_bytes: int = 4 << 30, max_members: int = 2_000_000
) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip of plain files and folders.

    Args:
        path: The archive.
        into: An existing, empty folder. What it holds after an error is for the caller
            to remove, as :func:`build_once` does.
        max_bytes: Most bytes unpacked; members announce their size, and the sum is
            checked before a member is written. Defaults to 4 GiB.
        max_members: Most members. Defaults to 2,000,000.

    Raises:
        UserError: if a member has an unsafe name, is no plain file or folder or comes
            twice, or the archive is too large, cut short or damaged.
    """
    total, made = 0, set()
    members = enumerate(track(_members(path), f'unpack {path.name}'))
    with _damage_named(path):
        for number, (name, kind, size, open_member) in members:
            why, total = _unsafe(name, kind, size), total + size
            if total > max_bytes or number >= max_members:
                why = f'exceeds {max_bytes:,} bytes or {max_members:,} members unpacked'
            if why:
                raise _Refused(f'member {name[:200]!r} {why}')
            target = into / name
            folder = target if kind == 'folder' else target.parent
            if folder not in made:
                folder.mkdir(parents=True, exist_ok=True)
                made.add(folder)
            if kind == 'file':
                with open_member() as source, open(target, 'xb') as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
