"""k-NN accuracy and spread of the features during pretraining."""

import logging

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS, HOOKS
from torch import Tensor

from ..engine.unwrap import unwrap_model
from ..errors import check
from .features import FeatureSet, extract_features
from .knn import knn_accuracy
from .spectrum import effective_rank, feature_std

# Features are all the same, or lie on a line.
MIN_STD, MIN_RANK = 0.05, 2.0


@HOOKS.register_module()
class KNNHook(Hook):
    """Log k-NN top-1, spread and effective rank of the features while pretraining.

    The losses of the run are the same with and without the hook. It warns about a
    teacher whose features have collapsed to a point or a line.

    Args:
        train: Config of the labeled training images (``InMemoryImages``).
        test: Config of the images to classify. To keep the test set unseen, use
            held-out training images.
        interval: Epochs between two evaluations; the last epoch is always evaluated.
            Defaults to 10.
        k: Number of neighbors. Defaults to 20.
        pool: Pooling of the tokens (``out_type`` of the encoder). Defaults to 'avg'.

    Raises:
        UserError: before training, if a data set has no labels.
    """

    priority = 'BELOW_NORMAL'

    def __init__(
        self,
        train: dict,
        test: dict,
        interval: int = 10,
        k: int = 20,
        pool: str = 'avg',
    ) -> None:
        check(interval > 0, f'interval={interval} must be positive')
        self.train_cfg, self.test_cfg = train, test
        self.interval, self.k, self.pool = interval, k, pool

    def before_run(self, runner) -> None:
        if dist.is_main_process():
            self.data = [DATASETS.build(c) for c in (self.train_cfg, self.test_cfg)]
            check(
                all(data.labels is not None for data in self.data),
                'KNNHook needs labels: set with_label=True on its data sets',
            )

    def after_train_epoch(self, runner) -> None:
        last = runner.epoch + 1 == runner.max_epochs
        if not (last or self.every_n_epochs(runner, self.interval)):
            return
        if dist.is_main_process():
            # Compiled blocks would be compiled again for each new batch size.
            with torch.compiler.set_stance('force_eager'):
                self._evaluate(runner)
        dist.barrier()

    def _evaluate(self, runner) -> None:
        model = unwrap_model(runner.model)
        preprocess = model.data_preprocessor

        def normalize(images: Tensor) -> Tensor:
            return preprocess(dict(inputs=images))['inputs']

        def features(encoder: torch.nn.Module, images: Tensor) -> Tensor:
            return extract_features(encoder, images, normalize, [self.pool])[self.pool]

        train, test = self.data
        encoded = features(model.backbone, train.images)
        data = FeatureSet(
            encoded, train.labels, features(model.backbone, test.images), test.labels
        )
        values = dict(
            knn_top1=knn_accuracy(data, self.k),
            feature_std=feature_std(encoded),
            feature_rank=effective_rank(encoded),
        )
        teacher = getattr(model.target_generator, 'encoder', None)
        if teacher is not None and hasattr(teacher, 'encode') and model.stage > 1:
            target = features(teacher, test.images)
            spread, rank = feature_std(target), effective_rank(target)
            values.update(teacher_std=spread, teacher_rank=rank)
            if spread < MIN_STD or rank < MIN_RANK:
                print_log(
                    'the teacher has collapsed: its features have a spread of '
                    f'{spread:.3f} (about 1 is healthy) and an effective rank of '
                    f'{rank:.1f} (1 is a line). Go back to an earlier checkpoint, with '
                    'fewer stages or a larger EMA decay',
                    'current',
                    logging.WARNING,
                )
        runner.visualizer.add_scalars(values, step=runner.epoch + 1)
        text = '  '.join(f'{key} {value:.3f}' for key, value in values.items())
        runner.logger.info(f'Epoch {runner.epoch + 1}: {text}')
