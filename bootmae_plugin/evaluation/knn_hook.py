"""How good the features are while pretraining, without disturbing it."""

import torch
import torch.nn.functional as F
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS, HOOKS
from torch import Tensor

from ..engine.unwrap import unwrap_model
from ..errors import check

COLLAPSED = 0.05


def feature_std(features: Tensor) -> float:
    """Spread of normalised features (N, D): about 1 in all directions, 0 collapsed.

    The standard deviation of each channel of the L2-normalised features over the
    images, averaged, times sqrt(D) (SimSiam, section 4).
    """
    std = F.normalize(features, dim=1).std(dim=0, correction=0)
    return float(std.mean() * features.shape[1] ** 0.5)


@HOOKS.register_module()
class KNNHook(Hook):
    """Log k-NN top-1 and the spread of the features every n epochs of pretraining.

    The losses of the run are the same with and without it. A teacher whose features
    lose their spread raises a warning that says so.

    Args:
        train: Config of the labelled training images (``InMemoryImages``).
        test: Config of those to classify; take held-out training images where the test
            set is not to be looked at.
        interval: Epochs between two evaluations. Defaults to 10.
        k: Neighbours. Defaults to 20.
        pool: ``out_type`` of the features. Defaults to 'avg'.

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
            # Blocks compiled for training would be compiled again for other sizes.
            with torch.compiler.set_stance('force_eager'):
                self._evaluate(runner)
        dist.barrier()

    def _evaluate(self, runner) -> None:
        from . import FeatureSet, extract_features, knn_accuracy

        model = unwrap_model(runner.model)
        preprocess = model.data_preprocessor

        def normalise(images: Tensor) -> Tensor:
            return preprocess(dict(inputs=images))['inputs']

        def features(encoder: torch.nn.Module, images: Tensor) -> Tensor:
            return extract_features(encoder, images, normalise, [self.pool])[self.pool]

        train, test = self.data
        encoded = features(model.backbone, train.images)
        values = dict(
            knn_top1=knn_accuracy(
                FeatureSet(
                    encoded,
                    train.labels,
                    features(model.backbone, test.images),
                    test.labels,
                ),
                self.k,
            ),
            feature_std=feature_std(encoded),
        )
        teacher = getattr(model.target_generator, 'encoder', None)
        if teacher is not None and hasattr(teacher, 'encode') and model.stage > 1:
            spread = feature_std(features(teacher, test.images))
            values['teacher_std'] = spread
            if spread < COLLAPSED:
                print_log(
                    f'the teacher has collapsed: the spread of its features is '
                    f'{spread:.3f} (0 is one constant, about 1 is healthy); go back to '
                    'a checkpoint before, with fewer stages or a larger EMA decay',
                    'current',
                    level=30,
                )
        runner.visualizer.add_scalars(values, step=runner.epoch + 1)
        text = '  '.join(f'{key} {value:.3f}' for key, value in values.items())
        runner.logger.info(f'Epoch {runner.epoch + 1}: {text}')
