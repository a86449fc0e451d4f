"""Decoded images in a memory-mapped file, which all processes and later runs share.

A cache folder holds, for a list of image files and a size, ``<name>.json``, the index,
and ``<name>.<token>.u8``, the pixels of the readable images, (N, 3, H, W) bytes. The
index is written last and names the pixels, so a killed process leaves the former state.
An index entry is a file's path, size and time of modification. Images whose entry is in
any index of the folder, for the same size, are copied instead of decoded.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from filelock import FileLock

from ..errors import UserError, check

VERSION = 1  # of the pixels: raise it when read_image gives others

# Path, size in bytes, time of modification in ns; then why it cannot be read, or ''.
Entry = tuple[str, int, int, str]


def _describe(path: str) -> Entry:
    try:
        stat = os.stat(path)
    except OSError as error:
        return path, -1, -1, f'{path} ({error.strerror})'
    return path, stat.st_size, stat.st_mtime_ns, ''


class PixelCache:
    """The cache of a list of image files at one size.

    Args:
        folder: Folder of the cache; made if it does not exist.
        paths: The image files.
        size: (height, width) in pixels.

    Raises:
        UserError: if the folder cannot be written.
    """

    def __init__(self, folder: str | Path, paths: list[str], size: tuple[int, int]):
        self.folder, self.size = Path(folder), size
        self.entries = [_describe(os.path.abspath(path)) for path in paths]
        names = '\n'.join(entry[0] for entry in self.entries)
        digest = hashlib.sha256(names.encode(errors='surrogateescape')).hexdigest()
        self.prefix = f'{size[0]}x{size[1]}_v{VERSION}_'
        self.name = f'{self.prefix}{digest[:16]}'
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f'the cache folder {folder} cannot be made ({error.strerror}): set '
                'cache of the data set to another folder, or to None'
            ) from error
        self.copied = 0  # images that were in the cache before

    def _read_index(self, path: Path) -> tuple[Path, list[Entry]] | None:
        """Return the file of the pixels and the entries; None if damaged."""
        try:
            index = json.loads(
                path.read_text(encoding='utf-8', errors='surrogateescape')
            )
            entries = [
                (str(p), int(s), int(t), str(e)) for p, s, t, e in index['images']
            ]
            pixels = self.folder / Path(index['pixels']).name
            good = sum(not entry[3] for entry in entries)
            whole = pixels.stat().st_size == good * 3 * self.size[0] * self.size[1]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (pixels, entries) if whole else None

    def _open(self, path: Path) -> np.ndarray:
        """Map the pixels; changes stay private to the process."""
        if not path.stat().st_size:  # no image could be read
            return np.empty((0, 3, *self.size), np.uint8)
        return np.memmap(path, np.uint8, 'c').reshape(-1, 3, *self.size)

    def load(
        self,
        decode: Callable[[str], np.ndarray | str],
        run: Callable[[Callable, Iterable], Iterable],
    ) -> tuple[np.ndarray, list[int], list[str]]:
        """Return the pixels, decoding what is not in the cache.

        Processes that use the folder for images of this size wait for each other: one
        may copy or remove what another has written.

        Args:
            decode: Returns the pixels (H, W, 3) uint8 of a file, or one line that says
                why it cannot be read.
            run: ``map``, in the order of its argument; may use threads.

        Returns:
            (M, 3, H, W) uint8, mapped from the disk; the indices of these M images in
            the list of files; and a line for each of the others.

        Raises:
            UserError: if the disk is full.
        """
        index = self.folder / f'{self.name}.json'
        with FileLock(self.folder / f'{self.prefix[:-1]}.lock'):
            found = self._read_index(index)
            known = [entry[:3] for entry in found[1]] if found else None
            if known != [entry[:3] for entry in self.entries]:
                try:
                    found = self._write(index, decode, run)
                except OSError as error:
                    need = self._bytes() / 2**30
                    raise UserError(
                        f'the cache of {len(self.entries):,} images cannot be written '
                        f'to {self.folder} ({error.strerror}; it takes {need:.1f} GiB):'
                        ' free some space, or set cache of the data set to another '
                        'folder'
                    ) from error
            else:
                self.copied = len(self.entries)
            pixels = self._open(found[0])
        good = [i for i, entry in enumerate(found[1]) if not entry[3]]
        return pixels, good, [entry[3] for entry in found[1] if entry[3]]

    def _bytes(self) -> int:
        return 3 * self.size[0] * self.size[1] * len(self.entries)

    def _known(self) -> dict[tuple, tuple[np.ndarray, int]]:
        """Return where the pixels of unchanged images are: (array, row)."""
        known = {}
        for path in self.folder.glob(f'{self.prefix}*.json'):
            if (found := self._read_index(path)) is None:
                continue
            pixels, row = self._open(found[0]), 0
            for entry in found[1]:
                if not entry[3]:
                    known[entry[:3]] = (pixels, row)
                    row += 1
        return known

    def _write(self, index: Path, decode: Callable, run: Callable):
        """Write pixels and index; return what :meth:`_read_index` returns."""
        known = self._known()
        self.copied = sum(entry[:3] in known for entry in self.entries)
        free = shutil.disk_usage(self.folder).free
        check(
            self._bytes() <= free,
            f'the cache of {len(self.entries):,} images takes '
            f'{self._bytes() / 2**30:.1f} GiB, but {self.folder} has '
            f'{free / 2**30:.1f} GiB left: set cache of the data set to another '
            'folder, or read from disk (config bootmae_deit-tiny_folder-disk)',
        )

        def fetch(entry: Entry) -> np.ndarray | str:
            if entry[3]:
                return entry[3]
            if entry[:3] in known:
                pixels, row = known[entry[:3]]
                return pixels[row]
            image = decode(entry[0])
            return image if isinstance(image, str) else image.transpose(2, 0, 1)

        path = self.folder / f'{self.name}.{uuid.uuid4().hex[:8]}.u8'
        entries = []
        try:
            with path.open('wb') as file:
                if hasattr(os, 'posix_fallocate') and self._bytes():
                    os.posix_fallocate(file.fileno(), 0, self._bytes())
                for entry, image in zip(
                    self.entries, run(fetch, self.entries), strict=True
                ):
                    bad = image if isinstance(image, str) else ''
                    if not bad:
                        file.write(np.ascontiguousarray(image).data)
                    entries.append((*entry[:3], bad))
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            text = json.dumps(dict(pixels=path.name, images=entries))
            written = path.with_suffix('.json')
            written.write_text(text, encoding='utf-8', errors='surrogateescape')
        except BaseException:
            path.unlink(missing_ok=True)
            path.with_suffix('.json').unlink(missing_ok=True)
            raise
        written.replace(index)
        self._remove_outdated(path, entries)
        return path, entries

    def _remove_outdated(self, kept: Path, entries: list[Entry]) -> None:
        """Remove caches of this size whose files are all in this one.

        A process that has mapped one keeps it until it ends.
        """
        paths = {entry[0] for entry in entries}
        outdated = [p for p in self.folder.glob(f'{self.name}.*.u8') if p != kept]
        for other in self.folder.glob(f'{self.prefix}*.json'):
            if other.stem == self.name or (found := self._read_index(other)) is None:
                continue
            if all(entry[0] in paths for entry in found[1]):
                outdated += [other, found[0]]
        for file in outdated:
            with contextlib.suppress(OSError):  # Windows keeps a file that is mapped
                file.unlink()
