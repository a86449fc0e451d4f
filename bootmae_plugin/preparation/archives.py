"""Unpack untrusted archives: plain files and folders, inside one folder."""

import contextlib
import errno
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError, check
from .publish import CHUNK, track

# Errors that the name of a member can cause. Others, such as a full disk, are not the
# archive's fault.
NAME_ERRORS = (
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.ENAMETOOLONG, errno.EINVAL),
)
# Members that describe the next one. tarfile reads them completely into memory.
HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class _RefusedError(Exception):
    """The reason why an archive is not unpacked."""


class _Member(tarfile.TarInfo):
    """A member of a tar whose header is checked before tarfile reads its content."""

    @classmethod
    def frombuf(cls, *args, **kwargs) -> '_Member':
        member = super().frombuf(*args, **kwargs)
        if member.type in HEADERS and not 0 <= member.size <= CHUNK:
            raise _RefusedError(f'a header announces {member.size:,} bytes')
        return member


class _Limits:
    """Checks of every member, before it is written.

    Args:
        into: Folder that the members are written to.
        max_bytes: Largest sum of the sizes that the members announce. Neither tarfile
            nor zipfile writes more than these.
        max_members: Largest number of members.
    """

    def __init__(self, into: Path, max_bytes: int, max_members: int) -> None:
        self.into, self.max_bytes, self.max_members = into, max_bytes, max_members
        self.bytes = self.members = 0

    def check(self, name: str, size: int, is_file: bool, is_folder: bool) -> None:
        """Raise :class:`_RefusedError` if a member must not be unpacked."""
        self.bytes += size
        self.members += 1
        if not (is_file or is_folder):
            why = 'is a link, special or encrypted'
        elif name.startswith('/') or name[1:2] == ':':
            why = 'has an absolute name'
        elif '..' in name.split('/'):
            why = "has '..' in its name"
        elif not name or set('\\\0') & set(name):
            why = 'has an unusual name'
        elif size < 0:
            why = f'announces {size:,} bytes'
        elif self.bytes > self.max_bytes or self.members > self.max_members:
            limit = f'{self.max_bytes:,} bytes or {self.max_members:,} members'
            why = f'exceeds {limit} unpacked'
        elif is_file and os.path.lexists(self.into / name):
            why = 'is there twice'
        else:
            return
        raise _RefusedError(f'member {name[:200]!r} {why}')


def _unpack_tar(path: Path, into: Path, limits: _Limits) -> None:
    check(
        hasattr(tarfile, 'data_filter'),
        'this Python cannot unpack tar archives safely: update it (to 3.10.12 or '
        '3.11.4), or unpack the archive and give the folder with --from',
    )
    with tarfile.open(path, 'r:*', tarinfo=_Member) as tar:
        for member in track(tar, f'unpack {path.name}'):
            # The filter would take links that stay inside; no data set needs them.
            is_file = member.isreg() and not member.issparse()
            limits.check(member.name, member.size, is_file, member.isdir())
            tar.extract(member, into, set_attrs=False, filter='data')
        # tarfile takes a cut or damaged header for the end of the archive. A real end
        # is zero blocks. Reading to the last byte makes gzip and xz verify their sums.
        tar.fileobj.seek(tar.offset)
        rest = tar.fileobj.read(CHUNK)
        complete = len(rest) >= tarfile.BLOCKSIZE and not any(rest)
        while complete and (rest := tar.fileobj.read(CHUNK)):
            complete = not any(rest)
        if not complete:
            raise tarfile.ReadError('the end of the archive is missing or damaged')


def _unpack_zip(path: Path, into: Path, limits: _Limits) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in track(archive.infolist(), f'unpack {path.name}'):
            mode = stat.S_IFMT(info.external_attr >> 16)
            plain = mode in (0, stat.S_IFREG, stat.S_IFDIR) and not info.flag_bits & 1
            is_folder = plain and info.is_dir()
            is_file = plain and not is_folder
            limits.check(info.filename, info.file_size, is_file, is_folder)
            archive.extract(info, into)  # verifies the checksum


@contextlib.contextmanager
def _errors_in_one_line(path: Path) -> Iterator[None]:
    """Turn the many errors of the readers and codecs into a :class:`UserError`."""
    try:
        yield
    except UserError:
        raise
    except (_RefusedError, getattr(tarfile, 'FilterError', _RefusedError)) as why:
        raise UserError(
            f'refused {path}: {why}, nothing was kept: get the archive from a source '
            'you trust'
        ) from None
    except Exception as error:
        number = getattr(error, 'errno', None)
        if number is not None and number not in NAME_ERRORS:
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(':')
        raise UserError(
            f'{path} is not a complete tar or zip archive ({reason}): get it again'
        ) from error


def extract(
    path: Path, into: Path, max_bytes: int = 4 << 30, max_members: int = 2_000_000
) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip of plain files and folders.

    Every member is checked before it is written: links, special files, absolute names,
    names with '..' and duplicates are refused.

    Args:
        path: The archive.
        into: An existing, empty folder. After an error, the caller removes what is in
            it, as :func:`build_once` does.
        max_bytes: Largest number of bytes unpacked. Defaults to 4 GiB.
        max_members: Largest number of members. Defaults to 2,000,000.

    Raises:
        UserError: if a member is refused, the limits are exceeded, the archive is cut
            or damaged, or this Python has no safe tarfile filters.
    """
    limits = _Limits(into, max_bytes, max_members)
    with _errors_in_one_line(path):
        is_zip = zipfile.is_zipfile(path) and not tarfile.is_tarfile(path)
        (_unpack_zip if is_zip else _unpack_tar)(path, into, limits)
