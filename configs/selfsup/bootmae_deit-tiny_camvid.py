# Bootstrapped MAE (K = 2), distilled DeiT-Tiny 192-d (patch 8), on 96x96 crops of CamVid's
# own 367 training images (240x180), the encoder for benchmarks/segmentation.
#
#   python tools/prepare_data.py camvid --from camvid-240x180.tar
#   python tools/train.py configs/selfsup/bootmae_deit-tiny_camvid.py
#
# Measured 2026-11-23: about 38 minutes on one core; the features' loss .33 at the end,
# .67 of the target's variance explained. What it is worth for segmentation:
# benchmarks/segmentation/deit-tiny_camvid.py
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/folder_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size=96, patch_size=8))
# About the size of things that finetuning sees: crops of .1 to .6 of an image.
data_preprocessor = dict(augment=dict(size=96, scale=(0.1, 0.6)))
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        img_size=(180, 240), source=dict(data_root='data/camvid/img_dir/train')
    ),
)
optim_wrapper = dict(optimizer=dict(lr=8e-3))  # at a batch of 512; 1e-3 at 64
train_cfg = dict(max_epochs=160)
default_hooks = dict(
    bootstrap=dict(type='BootstrapHook', num_stages=2),
    checkpoint=dict(interval=50),
    logger=dict(interval=5),
)
