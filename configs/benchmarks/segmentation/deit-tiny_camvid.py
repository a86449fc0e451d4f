# Segmentation of CamVid (240x180, 11 classes; 367 / 101 / 117 images) with UPerNet on the
# distilled DeiT-Tiny (192-d, patch 8), Muon without layer decay, 50 epochs. The start is the 192-d
# encoder of CIFAR-10 (weights/large/), whose patches of 4 pixels are resampled:
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_camvid.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=bootmae_plugin://bootmae-views_deit-tiny_cifar10 \
#       model.backbone.init_cfg.resample_patches=True train_cfg.max_epochs=8
#   python tools/test.py configs/benchmarks/segmentation/deit-tiny_camvid.py \
#       work_dirs/deit-tiny_camvid/epoch_8.pth             # mIoU, IoU of each class
#
# An encoder with patches of 8, such as that of selfsup/bootmae_deit-tiny_camvid.py (pretrained on
# the same training images), needs no resample_patches.
#
# Cost: these 8 epochs take .35 core-hours in float32.
# Result: measured on 2026-11-29 and -30 after 8 epochs (docs/results.md, Segmentation):
#                                      val mIoU      test mIoU    seeds
#   encoder of CIFAR-10, Muon          41.1          35.7          1
#   the same, AdamW, layer decay .9    40.7 +- .6    35.3 +- .4    3
#   random weights, Muon               31.0 +- 1.1   30.1 +- .8    3
#   random weights, AdamW, decay .9    27.5 +- 1.1   27.7 +- .2    2
#
# After 24 epochs by AdamW with layer decay .9 and the final norm on the last level of the pyramid
# (model.backbone.final_norm=True), from stage_2.pth of selfsup/bootmae_deit-tiny_camvid.py (160
# epochs) and from random weights, measured on 2026-11-23, one seed:
#                  val mIoU (aAcc)   test mIoU (aAcc)   val mIoU at epoch 6, 12, 18
#   pretrained     37.87 (80.48)     35.05 (78.88)      25.05, 31.17, 36.93
#   random         36.66 (78.88)     34.08 (78.27)      22.63, 30.66, 35.25
# No run learns the rare, thin classes (pole, sign symbol, pedestrian, bicyclist) in 24 epochs.
# Evaluated on whole images, the pretrained encoder was no better than random weights: there the
# position embedding is stretched to 23x30 patches, but training has 16x16.
#
# Final norm on the last level against no norm on any level (the default), by AdamW, measured on
# 2026-11-25, seed 0 each, val mIoU (aAcc) at epoch 4 and 8:
#   norm 18.42 (58.68), 24.70 (66.11)   none 20.33 (61.44), 25.02 (65.80)
# With one seed and so few epochs, this does not tell the variants apart. The default follows
# BEiT and MAE in mmsegmentation, which use no norm. The encoder was that of
#   python tools/train.py configs/selfsup/bootmae_deit-tiny_camvid.py --cfg-options \
#       train_cfg.max_epochs=24                            # stopped after epoch 18
# and the crops had 96 pixels (data_preprocessor.size, crop_size of the pipeline and of
# model.test_cfg).
#
# AdamW with layer decay, as in _base_/schedules/segment_50e.py: --cfg-options
#   optim_wrapper.constructor=mmpretrain.LayerDecayConstructor
#   optim_wrapper.paramwise_cfg.layer_decay_rate=0.9 optim_wrapper.optimizer._delete_=True
#   optim_wrapper.optimizer.type=AdamW optim_wrapper.optimizer.lr=1.5e-3
#   optim_wrapper.optimizer.weight_decay=0.05
#
# From random weights: deit-tiny_camvid_random.py
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/schedules/segment-muon_50e.py',
    '../../_base_/segmentation_runtime.py',
]
model = dict(
    # MMSegInferencer looks for it here.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(img_size=96),  # the crops of the pretraining
    decode_head=dict(ignore_index={{_base_.void}}),
    auxiliary_head=dict(ignore_index={{_base_.void}}),
    # Windows as large as the training crops, for the same position embedding.
    test_cfg=dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(56, 52)),
)
