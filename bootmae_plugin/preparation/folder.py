"""Verify a folder of images and list them for training."""

import glob
import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from ..errors import UserError, check
from ..images import SUFFIXES, to_rgb
from .publish import build_once, fingerprint, track, walk

Prepared = tuple[dict, bool]

VIDEOS = ('.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.mpg')


def describe(source: Path | None, names: list[str] | None = None) -> str | None:
    """Return the name and MD5 of a source for the manifest; see :func:`fingerprint`."""
    if source is None:
        return None
    check(source.exists(), f'--from {source} does not exist: check the path')
    return f'{source.resolve().name} (md5 {fingerprint(source, names)})'


def list_images(folder: Path) -> list[str]:
    """Return the sorted relative names of all images below a folder."""
    return [name for name in walk(folder) if name.lower().endswith(SUFFIXES)]


def find_images(folder: Path) -> list[str]:
    """Return the relative names of all images below a folder.

    Raises:
        UserError: if there is no such folder, or no image in it.
    """
    check(folder.exists(), f'{folder} does not exist: check the path')
    check(folder.is_dir(), f'{folder} is a file: give the folder of the images')
    if names := list_images(folder):
        return names
    videos = [name for name in walk(folder) if name.lower().endswith(VIDEOS)]
    if videos:
        raise UserError(
            f'{folder} has {len(videos)} videos ({videos[0]}, ...) and no image: '
            f'extract frames, as with ffmpeg -i {videos[0]} -vf fps=1 %05d.jpg'
        )
    raise UserError(f'{folder} has no image: expected files in {", ".join(SUFFIXES)}')


def find_photos(words: Iterable[str]) -> list[Path]:
    """Return the files that words name: files, folders with all below, and patterns.

    Args:
        words: Paths, and patterns such as 'photos/**/*.jpg'.

    Returns:
        The files, without duplicates, in the order of the words.

    Raises:
        UserError: if a word names nothing, or a folder has no image.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            files = [path / name for name in find_images(path)]
        elif path.exists():
            files = [path]
        else:
            files = [Path(name) for name in sorted(glob.glob(word, recursive=True))]
            files = [file for file in files if file.is_file()]
            check(bool(files), f'{word} does not exist: give images or folders of them')
        found |= dict.fromkeys(files)
    return list(found)


def decode(path: Path) -> None:
    """Raise an error if training could not read an image."""
    with Image.open(path) as image:
        to_rgb(image)


def find_bad(
    root: Path,
    names: list[str],
    workers: int | None,
    inspect: Callable[[Path], None] = decode,
) -> dict[str, str]:
    """Return the error messages of the files for which ``inspect`` raises.

    Args:
        root: Folder of the files.
        names: Relative names of the files.
        workers: Threads. None means one per CPU.
        inspect: Function of a path that raises an error if the file is bad. Defaults to
            :func:`decode`.

    Returns:
        Error messages by name.
    """

    def attempt(name: str) -> str | None:
        try:
            inspect(root / name)
        except Exception as error:  # Pillow raises many types on damaged files
            text = f'{type(error).__name__}: {error}'.replace(str(root), '')
            return ' '.join(text.split())
        return None

    bad, step = {}, 512
    # Threads are enough, because Pillow releases the interpreter lock.
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        # map() queues all of its input, so it gets a part of maybe millions of names.
        for start in track(range(0, len(names), step), f'verify {root.name}'):
            part = names[start : start + step]
            bad |= {
                n: e for n, e in zip(part, pool.map(attempt, part), strict=True) if e
            }
    return bad


def refuse(bad: dict[str, str], total: int, what: str, remedy: str) -> None:
    """Raise :class:`UserError` that names the first bad files, if there are any."""
    first = ', '.join(f'{name} ({error})' for name, error in list(bad.items())[:3])
    more = f' and {len(bad) - 3:,} more' if len(bad) > 3 else ''
    check(not bad, f'{len(bad):,} of {total:,} {what}: {first}{more}: {remedy}')


def prepare_folder(
    out: Path,
    source: Path,
    labels: bool = False,
    val_fraction: float = 0.0,
    seed: int = 0,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Prepared:
    """Verify a folder of images, and list them for mmpretrain's ``CustomDataset``.

    Args:
        out: Folder of the result: ``train.txt`` with one path relative to ``source``
            per line.
        source: Folder of the images; it is not changed.
        labels: Add the class number to each line (the classes are the sub-folders of
            ``source``), and write ``classes.txt`` and ``labels.csv``, which
            ``bootmae finetune`` reads. Defaults to False.
        val_fraction: Share of the images, in [0, 1), to list in ``val.txt`` instead.
            Defaults to 0.
        seed: Seed of the random choice for ``val.txt``. Defaults to 0.
        skip_bad: List unreadable images in ``unreadable.txt`` instead of raising.
            Defaults to False.
        workers: Threads that decode images. Defaults to one per CPU.

    Raises:
        UserError: if there are no images, an image is unreadable, a name cannot be
            written into a list file, or ``out`` holds other files.
    """
    check(source.is_dir(), f'--from {source} is not a folder: give a folder of images')
    check(0 <= val_fraction < 1, f'--val-fraction {val_fraction}: give one in [0, 1)')
    names = list_images(source)
    check(names, f'{source} has no images: expected files in {", ".join(SUFFIXES)}')
    for name in names:
        fits = name == name.strip() and name == name.encode(errors='ignore').decode()
        fits = fits and not {'\n', '\r'} & set(name)
        check(fits, f'the name {name!r} cannot be in a list file: rename the image')
        no_class = f'{source / name} is in no class folder: move it, or drop --labels'
        check(not labels or '/' in name, no_class)

    def build(partial: Path) -> dict:
        bad = find_bad(source, names, workers)
        if not skip_bad:
            remedy = 'repair them, or leave them out with --skip-bad'
            refuse(bad, len(names), 'images are unreadable', remedy)
        good = [name for name in names if name not in bad]
        val = set(random.Random(seed).sample(good, round(len(good) * val_fraction)))
        check(
            len(val) < len(good) and bool(val) == bool(val_fraction),
            f'{len(good)} readable images make {len(good) - len(val)} to train on and '
            f'{len(val)} for validation: add images or change --val-fraction',
        )
        numbers = {c: i for i, c in enumerate(sorted({n.split('/')[0] for n in names}))}

        def line(name: str) -> str:
            return f'{name} {numbers[name.split("/")[0]]}' if labels else name

        lists = {
            'train': [line(name) for name in good if name not in val],
            'val': [line(name) for name in good if name in val],
            'classes': list(numbers) if labels else [],
            'unreadable': [f'{name}: {error}' for name, error in bad.items()],
        }
        lists = {name: lines for name, lines in lists.items() if lines}
        for name, lines in lists.items():
            text = '\n'.join(lines) + '\n'
            (partial / f'{name}.txt').write_text(text, encoding='utf-8')
        if labels:
            from ..datasets.labels import TABLE, Row, write_table

            root = source.absolute()
            rows = [
                Row(f'{root}/{n}', n.split('/')[0], 'val' if n in val else 'train')
                for n in good
            ]
            write_table(partial / TABLE, rows)
        return {'counts': {name: len(lines) for name, lines in lists.items()}}

    asked = {'dataset': 'folder', 'source': describe(source, names), 'labels': labels}
    asked |= {'val_fraction': val_fraction, 'seed': seed, 'skip_bad': skip_bad}
    targets = ['train.txt', 'val.txt', 'classes.txt', 'labels.csv', 'unreadable.txt']
    return build_once(out, asked, targets, build)
