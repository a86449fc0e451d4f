"""COCO's annotation files: the objects of images, each with a box and a mask."""

from collections.abc import Sequence

import numpy as np


def run_lengths(mask: np.ndarray) -> list[int]:
    """Encode a mask (H, W) as COCO's uncompressed run lengths.

    The pixels are read column by column; the lengths of the runs alternate between
    False and True and start with False.
    """
    pixels = mask.ravel(order='F').astype(bool)
    edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff([0, *edges, len(pixels)]).tolist()
    return [0, *runs] if pixels[0] else runs


def coco_annotations(
    names: Sequence[str],
    objects: Sequence[Sequence[tuple[int, np.ndarray]]],
    classes: Sequence[str],
) -> dict:
    """Return the content of a COCO annotation file.

    Args:
        names: File name of each image.
        objects: For each image its objects, at least one: class, counted from 0, and
            mask (H, W) with at least one pixel.
        classes: Names of the classes.
    """
    images, annotations = [], []
    for number, (name, found) in enumerate(zip(names, objects, strict=True), 1):
        height, width = found[0][1].shape
        images.append(dict(id=number, file_name=name, height=height, width=width))
        for label, mask in found:
            rows, columns = (np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1))
            sides = [int(part[-1] - part[0]) + 1 for part in (columns, rows)]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label + 1,
                    bbox=[int(columns[0]), int(rows[0]), *sides],
                    area=int(mask.sum()),
                    iscrowd=0,
                    segmentation=dict(size=[height, width], counts=run_lengths(mask)),
                )
            )
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    return dict(images=images, annotations=annotations, categories=categories)
