"""Augment and normalize a uint8 batch."""

from collections.abc import Sequence

from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample
from torch import Tensor

from ..errors import check


@MODELS.register_module()
class BatchDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ClsDataPreprocessor for the batches of :class:`InMemoryImages`.

    In training, it augments the whole batch at once, before mmpretrain's normalization.

    Args:
        augment: Config of a batch transform (:class:`BatchRandomResizedCrop`,
            :class:`BatchPadCrop`) for training. Defaults to None: no augmentation.
        views: Number of views of each image in training (:class:`ViewHead` needs 2).
            Each is drawn independently. Defaults to 1.
        second_view: Config of the batch transform of all views but the first. Defaults
            to None: ``augment``.
        nested: Cut the other views out of the first one instead of the image. Defaults
            to False.
        color: Config of a batch transform after the crop (:class:`BatchColorJitter`).
            Defaults to None.
        color_views: Views that ``color`` changes, counted from 0. Defaults to None:
            all.
        **kwargs: See mmpretrain's ``ClsDataPreprocessor`` (mean, std, num_classes,
            batch_augments such as Mixup and CutMix, ...).

    Raises:
        UserError: if there is nothing that makes the views differ, or something that
            mixes images of one view only.
    """

    def __init__(
        self,
        augment: dict | None = None,
        views: int = 1,
        second_view: dict | None = None,
        nested: bool = False,
        color: dict | None = None,
        color_views: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check(
            views == 1 or (augment is not None and self.batch_augments is None),
            f'views={views} needs an augment, and no batch_augments, which would mix '
            'each view differently',
        )
        check(
            views > 1 or (second_view is None and not nested),
            'second_view and nested are options of further views: set '
            'data_preprocessor.views=2',
        )
        self.augment = TRANSFORMS.build(augment) if augment else None
        self.second_view = TRANSFORMS.build(second_view) if second_view else None
        self.color = TRANSFORMS.build(color) if color else None
        self.color_views = range(views) if color_views is None else color_views
        self.views, self.nested = views, nested

    def start_stage(self, stage: int) -> None:
        """Augment as the transforms do in a stage, counted from 1."""
        for transform in (self.augment, self.second_view):
            if hasattr(transform, 'start_stage'):
                transform.start_stage(stage)

    def draw_views(self, images: Tensor) -> list[Tensor]:
        """Augment the images (B, 3, H, W), gray levels 0..255, once for each view."""
        views = [self.augment(images) if self.augment else images]
        source = views[0] if self.nested else images
        other = self.second_view or self.augment
        views += [other(source) for _ in range(self.views - 1)]
        if self.color:
            views = [
                self.color(view) if index in self.color_views else view
                for index, view in enumerate(views)
            ]
        return views

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch.

        Args:
            data: ``inputs`` (B, 3, H, W) uint8; with labels also ``gt_label`` and
                ``sample_idx`` (B,).
            training: Augment the images. Defaults to False.

        Returns:
            ``inputs`` (B, 3, height, width) float, or a list of them for several views
            in training; and ``data_samples``.
        """
        inputs = data['inputs'].to(self.device, non_blocking=True).float()
        views = self.draw_views(inputs) if training else [inputs]
        samples = data.get('data_samples')
        if 'gt_label' in data:
            indices = data['sample_idx'].tolist()
            samples = [
                DataSample(metainfo=dict(sample_idx=index)).set_gt_label(label)
                for index, label in zip(indices, data['gt_label'], strict=True)
            ]
        batches = [
            super(BatchDataPreprocessor, self).forward(
                dict(inputs=view, data_samples=samples), training
            )
            for view in views
        ]
        if len(batches) > 1:  # mmpretrain's form for several views
            batches[0]['inputs'] = [batch['inputs'] for batch in batches]
        return batches[0]
