"""Read photos in batches, ahead of the model; needs no torch."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..images import read_image
from .spec import SEGMENTATION, ModelSpec


class Batch(NamedTuple):
    """Some photos.

    Attributes:
        paths: The readable ones, as given.
        images: Their pixels, (height, width, 3) uint8 in RGB, of the model's input
            size; for a segmentation, of their own size.
        unreadable: A line for each of the others.
    """

    paths: list[Path]
    images: list[np.ndarray]
    unreadable: list[str]


def reader(spec: ModelSpec) -> Callable[[Path], np.ndarray | str]:
    """Return what reads a photo as the test images of the run were read."""
    size = None if spec.task == SEGMENTATION else spec.input_size
    return lambda path: read_image(dict(img_path=str(path)), size, spec.resize_edge)


def read_batches(
    paths: Sequence[Path], spec: ModelSpec, batch_size: int
) -> Iterator[Batch]:
    """Yield the photos in order; threads read the next batch meanwhile."""
    read = reader(spec)
    batches = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
    with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
        ahead: deque = deque()
        for batch in [*batches, None]:
            if batch is not None:
                ahead.append((batch, [pool.submit(read, path) for path in batch]))
            if len(ahead) > 1 or batch is None:
                yield _collect(*ahead.popleft())


def _collect(paths: Sequence[Path], futures: Sequence) -> Batch:
    results = [future.result() for future in futures]
    good = [isinstance(result, np.ndarray) for result in results]
    return Batch(
        [path for path, is_good in zip(paths, good, strict=True) if is_good],
        [result for result in results if isinstance(result, np.ndarray)],
        [result for result in results if isinstance(result, str)],
    )
