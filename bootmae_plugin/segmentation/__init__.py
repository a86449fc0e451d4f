"""What needs mmsegmentation, registered: the configs of segmentation import this.

``custom_imports = dict(imports=['bootmae_plugin', 'bootmae_plugin.segmentation'])``.
The package itself does without mmsegmentation.
"""

import contextlib
import io

try:
    with contextlib.redirect_stdout(io.StringIO()):  # of its own optional parts
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

__all__ = ['ClassIoU', 'SegFolder', 'SegmentationPictureHook']
