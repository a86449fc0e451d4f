"""Make a data set completely or not at all: downloads, checksums, a manifest."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import UserError, check

MANIFEST = '.prepared.json'
LOCK = '.prepare.lock'
CHUNK = 1 << 20


def track(items: Iterable, text: str, total: int | None = None) -> Iterator:
    """Yield ``items`` under a progress bar, which is shown on a terminal only."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(
        items, text, total, console=console, disable=not sys.stderr.isatty()
    )


def walk(folder: Path) -> list[str]:
    """Return all files below a folder as sorted relative names, without hidden ones."""
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        inside = Path(base).relative_to(folder)
        found += [(inside / n).as_posix() for n in names if not n.startswith('.')]
    return sorted(found)


def fingerprint(path: Path, names: list[str] | None = None) -> str:
    """Return the MD5 of a file's content, or of the names and sizes in a folder.

    The files of a folder are not read, so that checking the 55,000 images of a finished
    data set takes a second.

    Args:
        path: A file or folder.
        names: Files of the folder. Defaults to None: all.
    """
    digest = hashlib.md5(usedforsecurity=False)
    if path.is_dir():
        for name in walk(path) if names is None else names:
            size = (path / name).stat().st_size
            digest.update(f'{name}\0{size}\n'.encode(errors='surrogateescape'))
    else:
        with open(path, 'rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def download(url: str, target: Path, md5: str) -> None:
    """Download ``url`` to ``target``, continuing a ``.part`` file.

    torchvision's ``download_url`` starts over after an interruption and writes to the
    final name, so it is not used here.

    Args:
        url: Address of the file.
        target: Path of the result. An existing file with the right MD5 is kept.
        md5: The expected MD5.

    Raises:
        UserError: if the connection fails or breaks off (the next call continues), the
            checksum is wrong, or another file is at ``target``.
    """
    own_copy = 'or pass your own copy with --from'
    if target.exists():
        wrong = f'{target} does not have the MD5 {md5}: move it away, {own_copy}'
        check(fingerprint(target) == md5, wrong)
        return
    part = target.with_name(target.name + '.part')
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={'User-Agent': 'bootmae_plugin'})
    if done:
        request.add_header('Range', f'bytes={done}-')
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            # A server without ranges answers 200 and sends the whole file: start over.
            resumed = answer.status == 206
            size = int(answer.headers.get('Content-Length') or 0)
            got, blocks = 0, iter(lambda: answer.read(CHUNK), b'')
            with open(part, 'ab' if resumed else 'wb') as file:
                for block in track(blocks, f'download {part.stem}', size // CHUNK + 1):
                    got += file.write(block)
            if got < size:
                raise ConnectionError(f'got {got:,} of {size:,} bytes')
    except (OSError, http.client.HTTPException) as error:
        # 416 means that the .part file is complete; the checksum decides.
        if getattr(error, 'code', None) != 416:
            broken = f'download of {url} to {part} broke off ({error})'
            raise UserError(f'{broken}: run again to continue, {own_copy}') from error
    if (found := fingerprint(part)) != md5:
        part.unlink()  # otherwise every further run would continue a wrong file
        wrong = f'download of {url} had MD5 {found}, expected {md5}, and was removed'
        raise UserError(f'{wrong}: run again, {own_copy}')
    part.rename(target)


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        return {**manifest, 'checksums': dict(manifest['checksums'])}
    except (ValueError, KeyError, TypeError) as error:
        broken = f'{path} cannot be read ({error!r})'
        raise UserError(f'{broken}: move {folder} away and run again') from error


@contextlib.contextmanager
def _lock(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder; the lock ends with the process."""
    try:
        lock = FileLock(out / LOCK, timeout=0).acquire()
    except Timeout as error:
        busy = f'another run is preparing {out}: wait, or give another --out'
        raise UserError(busy) from error
    with lock:
        try:
            yield
        finally:
            # Removed while it is locked, so that nothing but the result stays.
            with contextlib.suppress(OSError):  # Windows keeps open files
                (out / LOCK).unlink()


def _publish(partial: Path, out: Path) -> None:
    """Move the entries of a complete ``partial`` folder to ``out``, the manifest last.

    A rename within a file system is atomic. After a kill between two renames, the next
    run continues here: entries that were moved are no longer in ``partial``.
    """
    for name in [*_read_manifest(partial)['checksums'], MANIFEST]:
        if (partial / name).exists():
            taken = f'{out / name} exists: move it away, or give another --out'
            check(not os.path.lexists(out / name), taken)
            (partial / name).rename(out / name)


def _find_finished(out: Path, asked: dict) -> dict:
    manifest = _read_manifest(out)
    for key, value in asked.items():
        check(
            manifest.get(key) == value or (key, value) == ('source', None),
            f'{out} was prepared with {key}={manifest.get(key)!r}, but {value!r} is '
            'requested now: give another --out',
        )
    for name, expected in manifest['checksums'].items():
        check(
            (out / name).exists() and fingerprint(out / name) == expected,
            f'{out / name} was deleted or changed since it was prepared: move {out} '
            'away and run again',
        )
    return manifest


def build_once(
    out: Path, asked: dict, targets: list[str], build: Callable[[Path], dict]
) -> tuple[dict, bool]:
    """Build a data set in ``out`` completely, or find the finished one.

    Args:
        out: Folder of the result, made if needed.
        asked: What identifies the data set: ``dataset``, ``source`` and options. A
            finished data set must match; ``source`` None matches any source.
        targets: Names of the entries that ``build`` may make.
        build: Function that fills an empty folder with targets and returns more entries
            for the manifest.

    Returns:
        The manifest, and whether this call built the data set.

    Raises:
        UserError: if ``out`` holds other files or another data set, another run is
            preparing it, or a finished data set has lost files.
    """
    partial = out / f'.partial-{asked["dataset"]}'
    out.mkdir(parents=True, exist_ok=True)
    with _lock(out):
        if (partial / MANIFEST).is_file():
            _publish(partial, out)
        if partial.exists():  # of a run that was killed
            shutil.rmtree(partial)
        if (out / MANIFEST).is_file():
            return _find_finished(out, asked), False
        for name in targets:
            taken = f'{out / name} exists and would be overwritten: move it away'
            check(not os.path.lexists(out / name), f'{taken}, or give another --out')
        partial.mkdir()
        try:
            notes = build(partial)
            made = [name for name in targets if (partial / name).exists()]
            sums = {name: fingerprint(partial / name) for name in made}
            draft = partial / (MANIFEST + '.draft')
            text = json.dumps({**asked, **notes, 'checksums': sums}, indent=2)
            draft.write_text(text + '\n', encoding='utf-8')
            draft.rename(partial / MANIFEST)  # from now on the result is complete
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _publish(partial, out)
        shutil.rmtree(partial)
        return _read_manifest(out), True
