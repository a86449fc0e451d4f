"""Write a trained model into one file: ONNX, torch.export, or safetensors for timm."""

import contextlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints.export import save_weights
from ..checkpoints.read import read_checkpoint
from ..checkpoints.write import CannotWrite, write_whole
from ..errors import UserError, check
from ..version import __version__
from .onnx_model import INPUT, INSTALL, open_session
from .spec import FEATURES, OUTPUTS, SEGMENTATION, ModelSpec
from .timm_model import create, timm_config, to_timm_model
from .trained import TrainedModel

TOLERANCE = 1e-4  # of an output, if the largest one is above 1, in units of that one
METADATA = 'metadata.json'  # in a .pt2 file
BATCHES = (1, 3)  # of the check; the model is traced with 2
# Steps of mmsegmentation's test pipelines that change no pixel.
KEEPS_PIXELS = ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')

# Runs an exported file: images (B, 3, H, W) in 0..1 -> output.
Run = Callable[[Tensor], Tensor]


class ExportedModel(nn.Module):
    """The model with its normalization: from RGB images in 0..1 to its output.

    Args:
        trained: A model on the CPU.
    """

    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self.model, self.spec, _ = trained
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(self.spec, name)).view(1, 3, 1, 1)
            self.register_buffer(name, values)

    def normalize(self, images: Tensor) -> Tensor:
        """Normalize RGB images (B, 3, H, W) in 0..1."""
        return (images * 255 - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, C); for a segmentation, to (B, C, H, W)."""
        x = self.normalize(images)
        if self.spec.task == FEATURES:
            return self.model(x)[0]
        if self.spec.task != SEGMENTATION:
            return self.model(x, mode='tensor')
        return F.interpolate(
            self.model.decode_head(self.model.extract_feat(x)),
            self.spec.input_size,
            mode='bilinear',
            align_corners=self.model.align_corners,
        )


def export_model(trained: TrainedModel, target: Path, force: bool = False) -> float:
    """Write a model, read the file again, and compare its output with torch's.

    Args:
        trained: A model on the CPU.
        target: File to write: .onnx, .pt2 or .safetensors.
        force: Replace an existing file. Defaults to False.

    Returns:
        The largest difference of an output.

    Raises:
        UserError: if the suffix is unknown, the file exists or cannot be written, or
            the model has no such form.
    """
    check_target(target, force)
    _check_segmentation(trained)
    model = ExportedModel(trained).eval()
    metadata = trained.spec.to_metadata()
    metadata['producer'] = f'bootmae_plugin {__version__}'
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.export-', dir=target.parent) as part:
            path = Path(part) / target.name
            run = WRITERS[target.suffix](model, path, metadata)
            difference = _compare(model, run)
            write_whole(target, path.replace)
    except (OSError, CannotWrite) as error:
        raise UserError(
            f'{target} cannot be written ({error.__cause__ or error}): make room on '
            'the disk, or choose another folder'
        ) from error
    return difference


def check_target(target: Path, force: bool) -> None:
    """Raise :class:`UserError` if a file cannot be written; see export_model."""
    check(
        target.suffix in WRITERS,
        f'{target.name} has the unknown suffix {target.suffix!r}: choose one of '
        f'{", ".join(WRITERS)}',
    )
    check(not target.is_dir(), f'{target} is a folder: name a file')
    check(
        force or not target.exists(),
        f'{target} exists already: name another file, or give --force',
    )


def _check_segmentation(trained: TrainedModel) -> None:
    """Refuse segmentations whose test images are resized or padded."""
    model, spec, cfg = trained
    if spec.task != SEGMENTATION:
        return
    steps = [step['type'] for step in cfg.test_dataloader.dataset.pipeline]
    changing = [step for step in steps if step not in KEEPS_PIXELS]
    if model.data_preprocessor.test_cfg:
        changing.append('padding')
    check(
        not changing,
        f'this segmentation prepares its test images with {", ".join(changing)}, '
        'which the exported model would lack: use bootmae predict with the checkpoint',
    )
    check(
        model.decode_head.out_channels == len(spec.classes),
        f'this segmentation has {model.decode_head.out_channels} outputs for '
        f'{len(spec.classes)} classes: only one for each can be exported',
    )


def _images(spec: ModelSpec, number: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.rand(number, 3, *spec.input_size, generator=generator)


@torch.no_grad()
def _compare(model: ExportedModel, run: Run) -> float:
    """Return the largest difference between the file and torch, for several batches.

    Raises:
        UserError: if it is more than rounding.
    """
    largest = 0.0
    for number in BATCHES:
        images = _images(model.spec, number)
        expected = model(images)
        difference = float((run(images) - expected).abs().max())
        limit = TOLERANCE * max(1.0, float(expected.abs().max()))
        check(
            difference <= limit,
            f'the exported model differs from torch by {difference:.1e}, more than '
            f'{limit:.0e}: nothing was written; choose another format',
        )
        largest = max(largest, difference)
    return largest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what torch's exporters print and warn about."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def _dynamic_batch() -> dict:
    return {INPUT: {0: torch.export.Dim('batch')}}


def write_onnx(model: ExportedModel, path: Path, metadata: dict[str, str]) -> Run:
    """Write ONNX with a dynamic batch; return a function that runs the file."""
    output = OUTPUTS[model.spec.task]
    try:
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise UserError(f'{path.name} needs onnxscript ({error}): {INSTALL}') from error
    with _quiet():
        program = torch.onnx.export(
            model,
            (_images(model.spec, 2),),
            dynamo=True,
            dynamic_shapes=_dynamic_batch(),
            input_names=[INPUT],
            output_names=[output],
            verbose=False,
        )
        program.model.metadata_props.update(metadata)
        program.save(path, external_data=False)
    session = open_session(path, 'cpu')

    def run(images: Tensor) -> Tensor:
        (result,) = session.run([output], {INPUT: np.asarray(images)})
        return torch.from_numpy(result)

    return run


def write_pt2(model: ExportedModel, path: Path, metadata: dict[str, str]) -> Run:
    """Write torch.export's format with a dynamic batch; returns as write_onnx."""
    with _quiet():
        program = torch.export.export(
            model, (_images(model.spec, 2),), dynamic_shapes=_dynamic_batch()
        )
        torch.export.save(program, path, extra_files={METADATA: json.dumps(metadata)})
        return torch.export.load(path).module()


def write_timm(model: ExportedModel, path: Path, metadata: dict[str, str]) -> Run:
    """Write safetensors of timm's model, which takes normalized images."""
    timm_model = to_timm_model(model.model, model.spec)
    metadata = metadata | dict(timm=timm_config(timm_model, model.spec))
    save_weights(timm_model.weights, path, metadata)
    theirs = create(timm_model._replace(weights=read_checkpoint(path)), model.spec)
    return lambda images: theirs(model.normalize(images))


WRITERS = {'.onnx': write_onnx, '.pt2': write_pt2, '.safetensors': write_timm}
