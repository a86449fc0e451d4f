"""Data set, metric and pictures for segmentation; needs mmsegmentation.

``import bootmae_plugin`` does not import this room. A segmentation config does::

    custom_imports = dict(imports=['bootmae_plugin', 'bootmae_plugin.segmentation'])
"""

import contextlib
import io

try:
    # mmsegmentation prints which of its optional parts are missing.
    with contextlib.redirect_stdout(io.StringIO()):
        import mmseg.datasets
        import mmseg.models
        import mmseg.visualization  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'segmentation needs mmsegmentation, which cannot be imported ({error}): '
        "pip install 'bootmae_plugin[seg]'"
    ) from error

from .data import SegFolder
from .hook import SegmentationPictureHook
from .metric import ClassIoU
from .predict import predict_maps, set_test_pipeline
from .table import SegTable

__all__ = [
    'ClassIoU',
    'SegFolder',
    'SegTable',
    'SegmentationPictureHook',
    'predict_maps',
    'set_test_pipeline',
]
