"""Run an exported ONNX model; needs numpy and onnxruntime, no torch."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError, check
from .spec import CLASSIFICATION, OUTPUTS, ModelSpec

INSTALL = "pip install 'bootmae_plugin[deploy]'"
INPUT = 'images'


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, C) of logits (N, C)."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def to_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images (H, W, 3) uint8 as the input of an exported model.

    It is (N, 3, H, W) float32 in RGB, from 0 to 1, not normalized.
    """
    pixels = np.stack(images).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels, np.float32) / np.float32(255)


def open_session(path: str | Path, device: str | None = None):
    """Return onnxruntime's session of a file.

    Raises:
        UserError: if onnxruntime or the device is missing, or it is no ONNX file.
    """
    check(Path(path).is_file(), f'{path} does not exist: check the path')
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f'{path} needs onnxruntime ({error}): {INSTALL}') from error
    available = onnxruntime.get_available_providers()
    names = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider'}
    kinds = [device] if device else ['cuda', 'cpu']
    providers = [names[kind] for kind in kinds if names.get(kind) in available]
    check(
        bool(providers),
        f'--device {device}: this onnxruntime has {", ".join(available)}; for a GPU '
        'install onnxruntime-gpu, or leave --device out',
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(path, options, providers)
    except Exception as error:  # onnxruntime's own types, which it does not document
        line = ' '.join(str(error).split())[:80]
        raise UserError(
            f'{path} is not a readable ONNX model ({line}): export it again'
        ) from error


class OnnxModel:
    """A classifier or segmentation in an ONNX file of ``bootmae export``.

    Args:
        path: The file.
        device: 'cpu' or 'cuda'. Defaults to None: a GPU, if onnxruntime has one.

    Raises:
        UserError: see :func:`open_session`; or if the file is of another program.

    Attributes:
        spec: What the file says of itself.
    """

    def __init__(self, path: str | Path, device: str | None = None) -> None:
        self.session = open_session(path, device)
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.spec = ModelSpec.from_metadata(metadata, str(path))

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Return the output for ``inputs``, see :func:`to_input`."""
        (output,) = self.session.run([OUTPUTS[self.spec.task]], {INPUT: inputs})
        return output

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """Predict images (H, W, 3) uint8 in RGB, read by :func:`read_batches`.

        Returns:
            Probabilities (N, C), or a label map (H, W) for each image.
        """
        if self.spec.task == CLASSIFICATION:
            return softmax(self.run(to_input(images)))
        return [self._segment(image) for image in images]

    def _segment(self, image: np.ndarray) -> np.ndarray:
        """Average the logits of windows, as mmseg's ``slide_inference``."""
        rows, columns = self.spec.input_size
        height, width = image.shape[:2]
        stride = self.spec.stride
        fits = height >= rows and width >= columns
        check(
            fits if stride else (height, width) == (rows, columns),
            f'the image has {width}x{height} pixels, but the model takes '
            f'{columns}x{rows}{" or more" if stride else ""}',
        )
        row_stride, column_stride = stride or self.spec.input_size
        tops = _starts(height, rows, row_stride)
        lefts = _starts(width, columns, column_stride)
        total = np.zeros(1, np.float32)
        count = np.zeros((height, width), np.float32)
        for top, left in itertools.product(tops, lefts):
            window = np.s_[top : top + rows, left : left + columns]
            logits = self.run(to_input([image[window]]))[0]
            if total.ndim == 1:
                total = np.zeros((len(logits), height, width), np.float32)
            total[(slice(None), *window)] += logits
            count[window] += 1
        return (total / count).argmax(axis=0)


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Return where windows begin; the last one ends at the border."""
    number = max(length - window + stride - 1, 0) // stride + 1
    return [min(i * stride, length - window) for i in range(number)]
