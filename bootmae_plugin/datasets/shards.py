"""Images in tar shards: more data than fits on one disk, read as streams."""

import json
import os
import re
import tarfile
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import mmcv
import numpy as np
from mmengine.dataset import Compose
from mmpretrain.registry import DATASETS
from torch.utils.data import Dataset

from ..errors import UserError, check
from ..hints import command
from ..images import SUFFIXES
from .sources import check_data_root

INDEX = 'index.json'
MAX_OPEN = 32  # shards of a process


def import_webdataset():
    """Return the library webdataset.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import webdataset
    except ImportError as error:
        raise UserError(
            f'tar shards need the library webdataset ({error}): pip install webdataset'
        ) from error
    return webdataset


def is_image(name: str) -> bool:
    """Return whether a member of a shard is an image.

    WebDataset takes everything after the first dot of a file name as its type, so
    ``a.jpg`` is an image and ``a.mask.png`` is not.
    """
    return '.' + name.rpartition('/')[2].partition('.')[2].lower() in SUFFIXES


def _count_images(path: Path) -> int:
    """Return the number of images in a shard on a disk; only its headers are read."""
    try:
        with tarfile.open(path, 'r:') as tar:
            number = sum(member.isreg() and is_image(member.name) for member in tar)
            tar.fileobj.seek(tar.offset)
            # tarfile takes a header that is cut off for the end of the archive.
            if tar.fileobj.read(512) != bytes(512):
                raise EOFError('the end of the archive is missing')
            return number
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(
            f'{path} is cut off or damaged ({error}): copy or write it again'
        ) from error


def list_shards(data_root: str) -> list[tuple[str, int]]:
    """Return path or URL and number of images of every shard, sorted by name.

    A folder without an index is counted, which reads the header of every image.

    Args:
        data_root: Folder with ``*.tar``, or the URL of one. ``index.json`` in it names
            the shards and their number of images, as ``bootmae data shards`` and the
            tools of the library wids write it. A URL needs it.

    Raises:
        UserError: if there is no shard, one is cut off or missing, or the index cannot
            be read.
    """
    if '://' in data_root:
        try:
            with import_webdataset().gopen(f'{data_root}/{INDEX}', 'rb') as file:
                text = file.read()
        except OSError as error:
            raise UserError(
                f'{data_root}/{INDEX} cannot be read ({error}): check data_root; '
                'shards at a URL need this file'
            ) from error
        entries = _parse_index(text, data_root)
        found = [
            (f'{data_root}/{entry["url"]}', entry['nsamples']) for entry in entries
        ]
    else:
        root = check_data_root(data_root)
        if (root / INDEX).is_file():
            entries = _parse_index((root / INDEX).read_bytes(), data_root)
            found = []
            for entry in entries:
                path = root / entry['url']
                check(path.is_file(), f'{path} is missing, but {INDEX} names it')
                size, expected = path.stat().st_size, entry.get('filesize')
                check(
                    expected in (None, size),
                    f'{path} has {size:,} bytes, expected {expected}: it is cut off or '
                    'changed, copy or write it again',
                )
                found.append((str(path), entry['nsamples']))
        else:
            paths = sorted(root.glob('*.tar'))
            with ThreadPoolExecutor() as pool:
                numbers = list(pool.map(_count_images, paths))
            found = [(str(p), n) for p, n in zip(paths, numbers, strict=True)]
    check(
        sum(number for _, number in found) > 0,
        f'{data_root} has no tar shard with images: write shards with '
        f'{command("data")} shards --from PHOTOS, and give their folder as data_root',
    )
    return sorted(found)


def _parse_index(text: bytes, data_root: str) -> list[dict]:
    try:
        entries = json.loads(text)['shardlist']
        for entry in entries:
            # A name only: an index from elsewhere must not name other files or URLs.
            if not re.fullmatch(r'[\w.-]+', entry['url']) or int(entry['nsamples']) < 0:
                raise ValueError(f'wrong entry {entry}')
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{data_root}/{INDEX} is no index of shards ({error!r}): delete it and '
            'the images are counted, or write it again'
        ) from error
    return entries


@DATASETS.register_module()
class WebDatasetShards(Dataset):
    """Data set of the images in tar shards, as the library webdataset reads them.

    An image is known by its number: the shards in the order of their names, and the
    images of each in the order of the tar. A process reads a shard as a stream and
    keeps it open. So images are cheap in ascending order, as :class:`ShardBatches`
    asks for them; any other order starts shards over.

    Other members than images are left out, such as labels.

    Args:
        data_root: Folder or URL of the shards, see :func:`list_shards`. A URL is opened
            by webdataset: ``https://``, ``gs://``, ``hf://``, ...
        pipeline: Transforms of an image. They get ``img`` (H, W, 3) uint8 in BGR, as
            from mmpretrain's ``LoadImageFromFile``, and the path as ``img_path``.

    Raises:
        UserError: if webdataset is not installed, there is no shard, or one cannot be
            read.
    """

    metainfo: dict = {}

    def __init__(self, data_root: str, pipeline: list[dict]) -> None:
        import_webdataset()
        shards = list_shards(str(data_root))
        self.shards = [shard for shard, _ in shards]
        self.sizes = np.array([number for _, number in shards])
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.pipeline = Compose(pipeline)
        # Number of a shard -> next image and stream; of this process.
        self._streams: OrderedDict[int, tuple[int, Iterator[dict]]] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def __getitem__(self, index: int) -> dict:
        """Return what the pipeline makes of an image."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = int(np.searchsorted(self.starts, index, side='right')) - 1
        name, data = self._read(shard, int(index - self.starts[shard]))
        path = f'{self.shards[shard]}/{name}'
        image = mmcv.imfrombytes(data, flag='color')
        check(
            image is not None,
            f'{path} cannot be decoded: write the shards again with '
            f'{command("data")} shards --skip-bad',
        )
        shape = image.shape[:2]
        return self.pipeline(
            dict(
                img=image,
                img_path=path,
                img_shape=shape,
                ori_shape=shape,
                sample_idx=index,
            )
        )

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _streams=OrderedDict())

    def _read(self, shard: int, number: int) -> tuple[str, bytes]:
        """Return name and bytes of an image, from the open stream if it is ahead."""
        if self._process != os.getpid():  # a worker shares no open file
            self._streams, self._process = OrderedDict(), os.getpid()
        following, stream = self._streams.pop(shard, (0, None))
        if stream is None or following > number:
            following, stream = 0, self._open(shard)
        try:
            member = next(islice(stream, number - following, None), None)
        except (tarfile.TarError, OSError, EOFError) as error:
            reason = str(error).partition(' @ ')[0]
            raise UserError(
                f'{self.shards[shard]} is cut off or damaged, image {number} cannot be '
                f'read ({reason}): copy or write it again'
            ) from error
        check(
            member is not None,
            f'{self.shards[shard]} has fewer images than the {self.sizes[shard]} that '
            'it should have: copy or write it again',
        )
        if number + 1 < self.sizes[shard]:
            self._streams[shard] = number + 1, stream
        if len(self._streams) > MAX_OPEN:
            self._streams.popitem(last=False)
        return member['fname'], member['data']

    def _open(self, shard: int) -> Iterator[dict]:
        """Yield name and content of the images of a shard."""
        webdataset = import_webdataset()
        with webdataset.gopen(self.shards[shard], 'rb') as file:
            yield from webdataset.tariterators.tar_file_iterator(
                file, select_files=is_image
            )
