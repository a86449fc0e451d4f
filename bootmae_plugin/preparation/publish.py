"""Data sets made as a whole or not at all: downloads, checksums, a manifest."""

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

from ..errors import UserError, check
from ..reliability.locks import locked

MANIFEST = '.prepared.json'
CHUNK = 1 << 20


def track(items: Iterable, text: str, total: int | None = None) -> Iterator:
    """Yield ``items`` under a progress bar, shown only where someone watches."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(
        items, text, total, console=console, disable=not sys.stderr.isatty()
    )


def walk(folder: Path) -> list[str]:
    """All files below a folder as sorted relative names, hidden ones left out."""
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        inside = Path(base).relative_to(folder)
        found += [(inside / n).as_posix() for n in names if not n.startswith('.')]
    return sorted(found)


def fingerprint(path: Path, names: list[str] | None = None) -> str:
    """MD5 of a file's content; of a folder, of the names and sizes of its files.

    A folder's content is not read: this tells in a second whether the 55,000 images of
    a finished data set still stand there.
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
    """Fetch ``url`` to ``target``, going on where a ``.part`` file ends.

    Args:
        url: Where the file is.
        target: Where it goes; taken as it is if its MD5 is right already.
        md5: The MD5 expected.

    Raises:
        UserError: if there is no connection or it breaks off (the next run goes on),
            the checksum is wrong, or another file stands at ``target``.
    """
    own_copy = 'or pass your own copy with --from'
    if target.exists():
        wrong = f'{target} has not the MD5 {md5}: move it away, {own_copy}'
        check(fingerprint(target) == md5, wrong)
        return
    part = target.with_name(target.name + '.part')
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={'User-Agent': 'bootmae_plugin'})
    if done:
        request.add_header('Range', f'bytes={done}-')
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            # A server that knows no ranges answers 200 with all of it: start over.
            resumed = answer.status == 206
            size = int(answer.headers.get('Content-Length') or 0)
            got, blocks = 0, iter(lambda: answer.read(CHUNK), b'')
            with open(part, 'ab' if resumed else 'wb') as file:
                for block in track(blocks, f'download {part.stem}', size // CHUNK + 1):
                    got += file.write(block)
            if got < size:
                raise ConnectionError(f'{got:,} of {size:,} bytes came')
    except (OSError, http.client.HTTPException) as error:
        # 416: nothing lies beyond what is here, so that the checksum decides.
        if getattr(error, 'code', None) != 416:
            broken = f'download of {url} to {part} broke off ({error})'
            raise UserError(f'{broken}: run again to go on, {own_copy}') from error
    if (found := fingerprint(part)) != md5:
        part.unlink()  # else every further run would go on from a wrong beginning
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


def _publish(partial: Path, out: Path) -> None:
    """Move a complete ``partial`` folder's entries to ``out``, the manifest last.

    Renames on one file system cannot stop half-way, and a run that was killed between
    two of them goes on here: what was moved is no longer in ``partial``.
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
            f'{out} was prepared with {key}={manifest.get(key)!r}, asked is now '
            f'{value!r}: give another --out',
        )
    for name, expected in manifest['checksums'].items():
        check(
            (out / name).exists() and fingerprint(out / name) == expected,
            f'{out / name} is gone or was changed since it was prepared: move {out} '
            'away and run again',
        )
    return manifest


def build_once(
    out: Path, asked: dict, targets: list[str], build: Callable[[Path], dict]
) -> tuple[dict, bool]:
    """Build a data set in ``out`` as a whole, or find that it stands there already.

    Args:
        out: The folder of the result, made if needed.
        asked: What tells this work from other: ``dataset``, ``source``, options. With
            ``source`` None any source will do.
        targets: The entries that the work may make in ``out``.
        build: Fills an empty folder with targets; returns more for the manifest.

    Returns:
        The manifest, and whether it was made by this call.

    Raises:
        UserError: if ``out`` is taken by other files, other work or another run, or
            has lost something it held.
    """
    partial = out / f'.partial-{asked["dataset"]}'
    out.mkdir(parents=True, exist_ok=True)
    busy = f'another run is at work in {out}: wait, or give another --out'
    with locked(out, busy):
        if (partial / MANIFEST).is_file():
            _publish(partial, out)
        if partial.exists():  # left by a run that was killed
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
            draft.rename(partial / MANIFEST)  # from here on the result is complete
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _publish(partial, out)
        shutil.rmtree(partial)
        return _read_manifest(out), True
