# Bootstrapped MAE (K = 4) of DeiT-Tiny (192-d, patch 8) on your own images in tar shards
# (WebDataset): more images than fit on one disk, no labels needed. Set data_root to the
# folder or URL of the shards, and img_size (a multiple of 8) if you like. Needs
# pip install webdataset.
#
#   python tools/prepare_data.py shards --from PHOTOS --out data/shards
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_shards.py 8 \
#       --cfg-options data_root=data/shards/train workers=4
#
# Have at least as many shards as processes x workers, better many more.
#
# Cost: 0.93 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py).
# Result: it depends on your images.
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/shards_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/shards/train'
img_size = 64
workers = 4

model = dict(backbone=dict(img_size=img_size, patch_size=8))
train_dataloader = dict(
    num_workers=workers,
    batch_sampler=dict(streams=workers),
    dataset=dict(
        data_root=data_root,
        pipeline=[
            dict(
                type='RandomResizedCrop',
                scale=img_size,
                crop_ratio_range=(0.2, 1.0),
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
