"""Augment and normalize a uint8 batch."""

from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample

from ..errors import check


@MODELS.register_module()
class BatchDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ClsDataPreprocessor for the batches of :class:`InMemoryImages`.

    In training, it augments the whole batch at once, before mmpretrain's normalization.

    Args:
        augment: Config of a batch transform (:class:`BatchRandomResizedCrop`,
            :class:`BatchPadCrop`) for training. Defaults to None: no augmentation.
        views: Number of views of each image in training, augmented independently
            (:class:`ViewHead` needs 2). Defaults to 1.
        **kwargs: See mmpretrain's ``ClsDataPreprocessor`` (mean, std, num_classes,
            batch_augments such as Mixup and CutMix, ...).

    Raises:
        UserError: if there is nothing that makes the views differ, or something that
            mixes images of one view only.
    """

    def __init__(self, augment: dict | None = None, views: int = 1, **kwargs) -> None:
        super().__init__(**kwargs)
        check(
            views == 1 or (augment is not None and self.batch_augments is None),
            f'views={views} needs an augment, and no batch_augments, which would mix '
            'each view differently',
        )
        self.augment = TRANSFORMS.build(augment) if augment else None
        self.views = views

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
        views = [inputs]
        if training and self.augment is not None:
            views = [self.augment(inputs) for _ in range(self.views)]
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
