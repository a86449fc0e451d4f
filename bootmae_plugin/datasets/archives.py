"""Moving data safely: unpack, copy, download and publish without half-done results."""

import contextlib
import hashlib
import http.client
import json
import lzma
import os
import shutil
import stat
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from bootmae_plugin.errors import UserError, check

MANIFEST = '.prepared.json'
CHUNK = 1 << 20
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError,  # a zip compression that Python does not know
    UnicodeError,
)  # fmt: skip


def track(items, text, total=None):
    """Yield ``items`` under a progress bar, shown only where someone watches."""
    from rich.console import Console
    from rich.progress import track as rich_track

    watched = sys.stderr.isatty()
    console = Console(stderr=True)
    yield from rich_track(items, text, total, console=console, disable=not watched)


def walk(folder):
    """All files below a folder as sorted relative names, hidden ones left out."""
    found = []
    for base, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [f for f in folders if not f.startswith('.')]
        relative = Path(base).relative_to(folder)
        found += [
            (relative / name).as_posix() for name in names if not name.startswith('.')
        ]
    return sorted(found)


def fingerprint(path):
    """MD5 of a file's content, or of a folder's list of names and sizes.

    A folder is not read in full: this must tell in a second whether the 55,000 images
    of a finished data set are still there.
    """
    path, digest = Path(path), hashlib.md5(usedforsecurity=False)
    if path.is_dir():
        for name in walk(path):
            digest.update(f'{name}\0{(path / name).stat().st_size}\n'.encode())
    else:
        with open(path, 'rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


# ---------------------------------------------------------------- unpacking


def _tar_members(path):
    """Yield (name, kind, size, open) of a tar; end by proving that it is complete."""
    with tarfile.open(path, 'r:*') as tar:
        for member in tar:
            kind = 'folder' if member.isdir() else 'file'
            if not (member.isdir() or member.isreg()) or member.issparse():
                kind = 'link or special file'
            yield member.name, kind, member.size, lambda m=member: tar.extractfile(m)
        # tarfile takes a cut or damaged header for the end of the archive. A real end
        # is zero blocks; reading them to the last also has gzip and xz check their sum.
        tar.fileobj.seek(tar.offset)
        rest = tar.fileobj.read(CHUNK)
        complete = len(rest) >= tarfile.BLOCKSIZE and not any(rest)
        while complete and (rest := tar.fileobj.read(CHUNK)):
            complete = not any(rest)
        if not complete:
            raise tarfile.ReadError('the end of the archive is missing or damaged')


def _zip_members(path):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            kind = 'folder' if info.is_dir() else 'file'
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = 'link or special file'
            check(
                not info.flag_bits & 1,
                f"'{path}' is encrypted at '{info.filename}'; unpack it yourself and "
                'pass the folder',
            )
            yield info.filename, kind, info.file_size, lambda i=info: archive.open(i)


def _refusal(name, kind):
    parts = PurePosixPath(name).parts
    if not name or '\0' in name or '\\' in name or name[1:2] == ':':
        return 'an unusual name'
    if name.startswith('/'):
        return 'an absolute name'
    if '..' in parts:
        return "a name with '..'"
    return None if kind in ('file', 'folder') else f'a {kind}'


def extract(path, into, max_bytes=4 << 30, max_members=2_000_000):
    """Unpack a tar (plain, gz, bz2, xz) or zip of plain files and folders.

    Args:
        path (Path): The archive.
        into (Path): An existing, empty folder. What it holds after an error is
            for the caller to remove (:func:`build_once` does).
        max_bytes (int): Most bytes unpacked, counted from what members announce and
            checked before each is written. Default: 4 GiB.
        max_members (int): Most members. Default: 2,000,000.

    Raises:
        UserError: A member is absolute, climbs with ``..``, is a link or a special
            file or comes twice; the archive is too large, cut short or corrupt.
    """
    path, into = Path(path), Path(into)
    total, count = 0, 0
    try:
        is_zip = zipfile.is_zipfile(path) and not tarfile.is_tarfile(path)
        members = (_zip_members if is_zip else _tar_members)(path)
        for name, kind, size, open_member in track(members, f'unpack {path.name}'):
            why = _refusal(name, kind)
            total, count = total + size, count + 1
            if why is None and (total > max_bytes or count > max_members):
                why = f'more than {max_bytes:,} bytes or {max_members:,} members'
            target = into / name
            if why is None and kind == 'file' and os.path.lexists(target):
                why = 'the same name twice'
            check(
                why is None,
                f"refused '{path}': member '{name[:200]}' is or makes {why}; nothing "
                'was kept, get the archive from a source you trust',
            )
            if kind == 'folder':
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, open(target, 'xb') as copy:
                shutil.copyfileobj(source, copy, CHUNK)
            if target.stat().st_size != size:
                raise EOFError(f"'{name}' ends early")
    except DAMAGED as error:
        raise UserError(
            f"'{path}' is not a complete tar or zip archive ({error}); get it again"
        ) from error


def copy_tree(source, target, names):
    """Copy the files ``names`` (relative) from one folder into a new one."""
    for name in track(names, f'copy {Path(source).name}'):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


# ---------------------------------------------------------------- downloading


def download(url, target, md5):
    """Fetch ``url`` to ``target``, going on where a ``.part`` file ends.

    Args:
        url (str): Where the file is.
        target (Path): Where it goes; taken as it is if its MD5 is right already.
        md5 (str): The MD5 expected.

    Raises:
        UserError: No connection, a cut one (run again to go on), a wrong checksum, or
            another file that stands at ``target``.
    """
    target = Path(target)
    part = target.with_name(target.name + '.part')
    if target.exists():
        found = fingerprint(target)
        check(
            found == md5,
            f"'{target}' has MD5 {found}, expected {md5}; move it away and run again",
        )
        return
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={'User-Agent': 'bootmae_plugin'})
    if done:
        request.add_header('Range', f'bytes={done}-')
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            # A server without ranges answers 200 and sends all of it: start over.
            done = done if answer.status == 206 else 0
            length = answer.headers.get('Content-Length')
            with open(part, 'ab' if done else 'wb') as file:
                size = int(length) if length else None
                blocks = iter(lambda: answer.read(CHUNK), b'')
                steps = None if size is None else -(-size // CHUNK)
                for block in track(blocks, f'download {target.name}', steps):
                    file.write(block)
                got = file.tell() - done
            if size is not None and got != size:
                raise ConnectionError(f'{got:,} of {size:,} bytes came')
    except urllib.error.HTTPError as error:
        # 416: nothing beyond what is here, so that the checksum decides.
        if error.code != 416:
            raise UserError(
                f"cannot download '{url}': {error}; pass --from with your own copy"
            ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise UserError(
            f"download of '{url}' broke off: {error}; run again to go on from "
            f"'{part}', or pass --from with your own copy"
        ) from error
    found = fingerprint(part)
    if found != md5:
        part.unlink()  # else every further run would go on from a wrong beginning
        raise UserError(
            f"the download of '{url}' has MD5 {found}, expected {md5}; it was removed, "
            'run again or pass --from with your own copy'
        )
    part.rename(target)


# ---------------------------------------------------------------- publishing


@contextlib.contextmanager
def _locked(folder):
    """Keep a second run out of ``folder``; the lock ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows: no lock, the clash checks remain
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise UserError(
            f"another run is preparing '{folder}'; wait for it, or give another --out"
        ) from error
    except OSError:
        pass  # some network file systems have no locks
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def _publish(partial, out):
    """Move a complete ``partial`` folder's entries to ``out``, the manifest last.

    Renames on one file system cannot stop half-way, and a run that was killed between
    two of them goes on here: what was moved is no longer in ``partial``.
    """
    manifest = json.loads((partial / MANIFEST).read_text())
    for name in manifest['checksums']:
        if (partial / name).exists():
            check(
                not os.path.lexists(out / name),
                f"'{out / name}' exists; move it away, or give another --out",
            )
            (partial / name).rename(out / name)
    (partial / MANIFEST).rename(out / MANIFEST)
    shutil.rmtree(partial)
    return manifest


def _finished(out, asked):
    """The manifest of a finished ``out``, after a look whether it is what is asked."""
    manifest = json.loads((out / MANIFEST).read_text())
    for key, value in asked.items():
        check(
            manifest.get(key) == value or (key, value) == ('source', None),
            f"'{out}' was prepared with {key} = {manifest.get(key)}, now it is "
            f'{value}; give another --out',
        )
    for name, expected in manifest['checksums'].items():
        check(
            (out / name).exists() and fingerprint(out / name) == expected,
            f"'{out / name}' is missing or was changed since it was prepared; move "
            f"'{out}' away and run again",
        )
    return manifest


def build_once(out, asked, targets, build):
    """Build a data set in ``out`` as a whole, or find that it is there already.

    Args:
        out (Path): The result's folder, made if needed.
        asked (dict): What identifies the work: ``dataset``, ``source``, options.
            ``source`` None accepts whatever it was prepared from.
        targets (list[str]): The entries that the work may make in ``out``.
        build (Callable[[Path], dict]): Fills an empty folder with targets and returns
            what to note in the manifest (``counts``, ...).

    Returns:
        tuple[dict, bool]: The manifest, and whether it was made now.

    Raises:
        UserError: ``out`` is taken by other files, other work or another run, or
            something it held is gone.
    """
    out = Path(out)
    partial = out / f'.partial-{asked["dataset"]}'
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        if (partial / MANIFEST).is_file():
            _publish(partial, out)
        if (out / MANIFEST).is_file():
            return _finished(out, asked), False
        for name in targets:
            check(
                not os.path.lexists(out / name),
                f"'{out / name}' exists and would be overwritten; move it away, or "
                'give another --out',
            )
        if partial.exists():  # left by a run that was killed
            shutil.rmtree(partial)
        partial.mkdir()
        try:
            notes = build(partial)
            made = [name for name in targets if (partial / name).exists()]
            checksums = {name: fingerprint(partial / name) for name in made}
            manifest = {**asked, **notes, 'checksums': checksums}
            draft = partial / (MANIFEST + '.draft')
            draft.write_text(json.dumps(manifest, indent=2) + '\n')
            draft.rename(partial / MANIFEST)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return _publish(partial, out), True
