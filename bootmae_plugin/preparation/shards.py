"""Write a folder of images as tar shards, for WebDatasetShards."""

import json
import random
import shutil
from pathlib import Path

from ..datasets.shards import INDEX, import_webdataset
from ..errors import check
from .folder import Prepared, describe, find_bad, find_images, refuse
from .publish import build_once, track

SHARDS = 'train'  # folder of the shards in that of the result
BLOCK = 512  # of a tar file; a member takes a header and whole blocks


def member_name(number: int, name: str) -> tuple[str, str]:
    """Return key and type of an image in a shard.

    The number makes the key unique. WebDataset takes all after the first dot of a file
    name as the type, so dots before the suffix are replaced.

    Args:
        number: Number of the image in the data set.
        name: Path relative to the folder, such as ``a/b.c.jpg``.
    """
    stem, _, suffix = name.rpartition('.')
    folder, slash, file = stem.rpartition('/')
    return f'{folder}{slash}{number:08d}-{file.replace(".", "_")}', suffix.lower()


def prepare_shards(
    out: Path,
    source: Path,
    shard_mb: int = 256,
    seed: int = 0,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Prepared:
    """Verify a folder of images and copy the files into tar shards, in random order.

    Args:
        out: Folder of the result: ``train/00000.tar``, ... and ``train/index.json``
            with the number of images of each shard.
        source: Folder of the images; it is not changed.
        shard_mb: Size of a shard in megabytes, from which the next one is begun.
            Defaults to 256.
        seed: Seed of the order. Defaults to 0.
        skip_bad: List unreadable images in ``unreadable.txt`` instead of raising.
            Defaults to False.
        workers: Threads that decode images. Defaults to one per CPU.

    Raises:
        UserError: if webdataset is not installed, there are no images, an image is
            unreadable, the disk has no room, or ``out`` holds other files.
    """
    webdataset = import_webdataset()
    names = find_images(source)
    asked = {'dataset': 'shards', 'source': describe(source, names)}
    asked |= {'shard_mb': shard_mb, 'seed': seed, 'skip_bad': skip_bad}

    def build(partial: Path) -> dict:
        need = sum((source / name).stat().st_size + 2 * BLOCK for name in names)
        free = shutil.disk_usage(partial).free
        check(
            need < free,
            f'the shards take {need / 1e9:.1f} GB, and {out} has {free / 1e9:.1f} GB: '
            'free some space, or give another --out',
        )
        bad = find_bad(source, names, workers)
        if not skip_bad:
            remedy = 'repair them, or leave them out with --skip-bad'
            refuse(bad, len(names), 'images are unreadable', remedy)
        good = [name for name in names if name not in bad]
        check(bool(good), f'none of the {len(names)} images of {source} can be read')
        random.Random(seed).shuffle(good)  # every shard is a sample of all images
        folder = partial / SHARDS
        folder.mkdir()
        sizes: dict[Path, int] = {}
        writer = webdataset.ShardWriter(
            str(folder).replace('%', '%%') + '/%05d.tar',
            maxcount=len(good),
            maxsize=shard_mb * 1e6,
            verbose=0,
            encoder=False,
            mtime=0,
            format='PAX_FORMAT',  # names of any length
        )
        with writer:
            for number, name in enumerate(track(good, f'write {out.name}')):
                key, suffix = member_name(number, name)
                writer.write({'__key__': key, suffix: (source / name).read_bytes()})
                path = Path(writer.fname)
                sizes[path] = sizes.get(path, 0) + 1
        entries = [
            dict(url=path.name, nsamples=number, filesize=path.stat().st_size)
            for path, number in sizes.items()
        ]
        # The format of wids, the indexed reader of webdataset.
        index = dict(__kind__='wids-shard-index-v1', wids_version=1, shardlist=entries)
        (folder / INDEX).write_text(json.dumps(index, indent=1) + '\n')
        counts = {'images': len(good), 'shards': len(entries)}
        if bad:
            lines = [f'{name}: {error}\n' for name, error in bad.items()]
            text = ''.join(lines)
            (partial / 'unreadable.txt').write_text(text, encoding='utf-8')
            counts['unreadable'] = len(bad)
        return {'counts': counts}

    return build_once(out, asked, [SHARDS, 'unreadable.txt'], build)
