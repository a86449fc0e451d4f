"""Load the model of a checkpoint with its head, by the config inside the checkpoint."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope, Registry
from mmengine.utils import import_modules_from_strings, to_2tuple
from mmpretrain.models import BaseClassifier, BaseSelfSupervisor, ClsHead
from torch import nn

from ..checkpoints.export import export_encoder
from ..checkpoints.load import compare_keys
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..checkpoints.run_config import parse_config
from ..errors import UserError, check
from .spec import CLASSIFICATION, FEATURES, SEGMENTATION, ModelSpec

# What a model needs for training only. init_cfg may name files.
TRAINING = (
    *('init_cfg', 'pretrained', 'train_cfg', 'data_preprocessor'),
    'frozen_stages',
)


class TrainedModel(NamedTuple):
    """A model with the weights of a checkpoint, in eval mode.

    Attributes:
        model: mmpretrain's classifier, mmsegmentation's segmentor, or for a pretraining
            the encoder.
        spec: What else is known of it.
        config: The config of its run.
    """

    model: nn.Module
    spec: ModelSpec
    config: Config


def load_trained(path: str | Path, device: str | None = None) -> TrainedModel:
    """Load the model of a checkpoint; nothing in the file is executed.

    The packages in ``custom_imports`` of its config are imported.

    Args:
        path: Checkpoint of a run of this plugin.
        device: 'cpu', 'cuda', ... Defaults to None: a GPU, if there is one.

    Raises:
        UserError: if the file has no config or a model that cannot be used, or its
            weights do not fit.
    """
    content = read_checkpoint(path)
    meta = content.get('meta') or {}
    cfg = parse_config(str(meta.get('cfg', '')))
    check(
        bool(cfg) and 'model' in cfg,
        f'checkpoint {path} does not hold the config of its run: give one that a '
        'training of this plugin saved (epoch_N.pth, stage_N.pth)',
    )
    cfg = Config(cfg)
    scope = cfg.get('default_scope', 'mmpretrain')
    if scope == 'mmseg':
        import_segmentation()
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    weights = state_dict_of(content)
    with DefaultScope.overwrite_default_scope(scope):
        task, settings = _model_settings(cfg, path)
        model = MODELS.build(settings)
    if task == FEATURES:
        weights = export_encoder(weights, str(path))
    advice = 'give a checkpoint as a run has saved it'
    compare_keys(model.state_dict(), weights, f'checkpoint {path}', advice)
    model.load_state_dict(weights)
    head = getattr(model, 'head', None)
    check(
        task != CLASSIFICATION or isinstance(head, ClsHead),
        f'{path} has the head {type(head).__name__}: only heads that give each image '
        'one class can be deployed',
    )
    spec = describe(cfg, task, model, meta.get('dataset_meta') or {}, path)
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return TrainedModel(model.to(device).eval(), spec, cfg)


def import_segmentation():
    """Return the room that needs mmsegmentation.

    Raises:
        UserError: if mmsegmentation is not installed.
    """
    try:
        from .. import segmentation
    except ImportError as error:
        raise UserError(str(error)) from error
    return segmentation


def _model_settings(cfg: Config, path: str | Path) -> tuple[str, dict]:
    """Return the task and the checked settings of the model."""
    settings = _without_training(cfg.model)
    with MODELS.switch_scope_and_registry(None) as registry:
        check_types(settings, registry, nn.Module, path)
        algorithm = registry.get(settings['type'])
    if issubclass(algorithm, BaseSelfSupervisor):
        settings = settings['backbone']
        settings.update(out_type='avg', out_indices=-1, final_norm=True)
        return FEATURES, settings
    if issubclass(algorithm, BaseClassifier):
        return CLASSIFICATION, settings
    check(
        cfg.get('default_scope') == 'mmseg',
        f'{path} has a model of type {settings["type"]}: expected a classifier, a '
        'segmentation or a pretraining',
    )
    settings['data_preprocessor'] = _preprocessor(cfg)
    pipeline = cfg.test_dataloader.dataset.pipeline
    with MODELS.switch_scope_and_registry(None) as registry:
        check_types(settings['data_preprocessor'], registry, nn.Module, path)
    with TRANSFORMS.switch_scope_and_registry(None) as registry:
        check_types(pipeline, registry, BaseTransform, path)
    return SEGMENTATION, settings


def _without_training(settings: Any) -> Any:
    """Copy settings without what only a training needs."""
    if isinstance(settings, dict):
        return ConfigDict(
            {k: _without_training(v) for k, v in settings.items() if k not in TRAINING}
        )
    if isinstance(settings, (list, tuple)):
        return type(settings)(map(_without_training, settings))
    return settings


def check_types(settings: Any, registry: Registry, base: type, path) -> None:
    """Check that every ``type`` in settings is a class derived from ``base``.

    mmengine would call any function that a config names.

    Raises:
        UserError: if one is not.
    """
    if isinstance(settings, dict):
        name = settings.get('type')
        if name is not None:
            found = registry.get(name) if isinstance(name, str) else None
            check(
                inspect.isclass(found) and issubclass(found, base),
                f'the config in {path} names {str(name)[:60]!r}, which is no '
                f'{base.__name__} here: import its package, or do not trust the file',
            )
        settings = list(settings.values())
    if isinstance(settings, (list, tuple)):
        for value in settings:
            check_types(value, registry, base, path)


def _preprocessor(cfg: Config) -> dict:
    """Return the settings of the data preprocessor, without augmentation."""
    settings = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    dropped = ('augment', 'views', 'second_view', 'nested', 'color', 'batch_augments')
    return {key: value for key, value in settings.items() if key not in dropped}


def describe(
    cfg: Config, task: str, model: nn.Module, dataset_meta: dict, path: str | Path
) -> ModelSpec:
    """Return what is known of a model from the config and the data set of its run.

    Raises:
        UserError: if the test images are not prepared in a way that can be repeated.
    """
    preprocessor = _preprocessor(cfg)
    color_is_kept = not (preprocessor.get('to_rgb') or preprocessor.get('bgr_to_rgb'))
    loader = cfg.get('test_dataloader') or cfg.get('train_dataloader') or {}
    dataset = loader.get('dataset') or {}
    check(
        'img_size' in dataset or not color_is_kept,
        f'{path} was trained on BGR images: only RGB (to_rgb=True) can be deployed',
    )
    edge, stride = None, None
    if task == FEATURES:
        size = model.geometry.img_size
    elif task == CLASSIFICATION:
        size, edge = _sizes(dataset, path)
    elif cfg.model.test_cfg.get('mode') == 'slide':
        size, stride = cfg.model.test_cfg.crop_size, tuple(cfg.model.test_cfg.stride)
    else:
        size = preprocessor.get('size')
    classes = dataset_meta.get('classes') or ()
    if task == CLASSIFICATION and not classes:
        classes = range(model.head.num_classes)
    palette = dataset_meta.get('palette') or ()
    return ModelSpec(
        task=task,
        input_size=tuple(map(int, to_2tuple(size))),
        mean=tuple(map(float, preprocessor.get('mean') or (0,) * 3)),
        std=tuple(map(float, preprocessor.get('std') or (1,) * 3)),
        resize_edge=edge,
        classes=() if task == FEATURES else tuple(map(str, classes)),
        palette=tuple(tuple(int(x) for x in color) for color in palette),
        stride=stride,
    )


def _sizes(dataset: dict, path: str | Path) -> tuple[Any, int | None]:
    """Return the input size, and the length of the shorter edge before the crop."""
    if 'img_size' in dataset:
        return dataset['img_size'], None
    steps = [
        step
        for step in dataset.get('pipeline') or ()
        if step['type'] not in ('LoadImageFromFile', 'PackInputs')
    ]
    match [{k: v for k, v in step.items() if k != '_scope_'} for step in steps]:
        case [{'type': 'CoverCrop', 'size': size}]:
            return size, None
        case [
            {'type': 'ResizeEdge', 'scale': int(edge), 'edge': 'short',
             'backend': 'pillow', 'interpolation': 'bicubic'},
            {'type': 'CenterCrop', 'crop_size': int(size)},
        ]:  # fmt: skip
            return size, edge
    names = ', '.join(str(step['type']) for step in steps) or 'nothing'
    raise UserError(
        f'the test pipeline in {path} has {names}: expected CoverCrop, or ResizeEdge '
        '(short, pillow, bicubic) and CenterCrop'
    )


class TorchModel:
    """Predicts with a trained model, as :class:`.onnx_model.OnnxModel` does.

    Args:
        trained: A classifier or segmentation.

    Attributes:
        spec: As in :class:`TrainedModel`.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.model, self.spec, _ = trained
        if self.spec.task == SEGMENTATION:
            import_segmentation().set_test_pipeline(self.model, trained.config)
        device = next(self.model.parameters()).device
        self.mean, self.std = (
            torch.tensor(values, device=device).view(3, 1, 1)
            for values in (self.spec.mean, self.spec.std)
        )

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """Predict images (H, W, 3) uint8 in RGB, read by :func:`read_batches`.

        Returns:
            Probabilities (N, C), or a label map (H, W) for each image.
        """
        if self.spec.task == SEGMENTATION:
            predict = import_segmentation().predict_maps
            return [predict(self.model, [image])[0] for image in images]
        pixels = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2))
        inputs = (pixels.to(self.mean.device).float() - self.mean) / self.std
        return self.model(inputs, mode='tensor').softmax(1).cpu().numpy()
