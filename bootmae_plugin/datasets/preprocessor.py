"""From a uint8 batch in memory to the model's input."""

from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample


@MODELS.register_module()
class BatchDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ClsDataPreprocessor with augmentation of the whole batch.

    Takes what :class:`InMemoryImages` gives; evaluation is never augmented.

    Args:
        augment: Config of a batch transform (:class:`BatchRandomResizedCrop`,
            :class:`BatchPadCrop`) for training. Defaults to None.
        **kwargs: See mmpretrain's ``ClsDataPreprocessor`` (mean, std, num_classes,
            batch_augments such as Mixup and CutMix, ...).
    """

    def __init__(self, augment: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.augment = TRANSFORMS.build(augment) if augment else None

    def forward(self, data: dict, training: bool = False) -> dict:
        """``inputs`` (B, 3, H, W) uint8, with or without ``gt_label`` (B,)."""
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
