# Segmentation of your own scenes with UPerNet on the distilled DeiT-Tiny (192-d, patch 8), 50
# epochs. bootmae segment composes it for a pretrained encoder and a folder of scenes. Without
# it, list images and label maps in <data_root>/labels.csv and set classes and num_classes.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_folder.py --cfg-options \
#       data_root=data/scenes num_classes=2 \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_folder/epoch_200.pth
#
# Cost and result: they depend on your scenes.
# From random weights: deit-tiny_folder_random.py
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/scenes.py',
    '../../_base_/schedules/segment_50e.py',
    '../../_base_/segmentation_runtime.py',
]
num_classes = 2
img_size = 96
stride = (64, 64)

model = dict(
    # MMSegInferencer looks for it here.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(img_size=img_size),
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
    # Windows as large as the training crops, for the same position embedding.
    test_cfg=dict(mode='slide', crop_size={{_base_.crop_size}}, stride=stride),
)
