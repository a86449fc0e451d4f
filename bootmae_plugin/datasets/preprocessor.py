"""Augment and normalize a uint8 batch."""

from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample


@MODELS.register_module()
class BatchDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ClsDataPreprocessor for the batches of :class:`InMemoryImages`.

    In training, it augments the whole batch at once, before mmpretrain's normalization.

    Args:
        augment: Config of a batch transform (:class:`BatchRandomResizedCrop`,
            :class:`BatchPadCrop`) for training. Defaults to None: no augmentation.
        **kwargs: See mmpretrain's ``ClsDataPreprocessor`` (mean, std, num_classes,
            batch_augments such as Mixup and CutMix, ...).
    """

    def __init__(self, augment: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.augment = TRANSFORMS.build(augment) if augment else None

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess a batch.

        Args:
            data: ``inputs`` (B, 3, H, W) uint8; with labels also ``gt_label`` and
                ``sample_idx`` (B,).
            training: Augment the images. Defaults to False.

        Returns:
            ``inputs`` (B, 3, height, width) float, and ``data_samples``.
        """
        inputs = data['inputs'].to(self.device, non_blocking=True).float()
        if training and self.augment is not None:
            inputs = self.augment(inputs)
        samples = data.get('data_samples')
        if 'gt_label' in data:
            indices = data['sample_idx'].tolist()
            samples = [
                DataSample(metainfo=dict(sample_idx=index)).set_gt_label(label)
                for index, label in zip(indices, data['gt_label'], strict=True)
            ]
        return super().forward(dict(inputs=inputs, data_samples=samples), training)
