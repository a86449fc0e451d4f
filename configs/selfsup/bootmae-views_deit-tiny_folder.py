# Bootstrapped MAE with view stages (K = 4) of DeiT-Tiny (192-d, patch 8) on your own images,
# held in memory at img_size: no labels needed. This is what bootmae pretrain trains. Set
# data_root, and img_size (a multiple of 8) if you like. If the images do not fit into memory:
# bootmae-views_deit-tiny_folder-disk.py
#
#   python tools/prepare_data.py folder --from PHOTOS     # lists the unreadable images
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny_folder.py 8 \
#       --cfg-options data_root=PHOTOS
#
# The colors of both views change, so that the encoder does not recognize an image by them.
# Where the color itself tells the classes apart: data_preprocessor.color=None
#
# Cost: 0.93 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py).
# Result: it depends on your images; docs/results.md compares the recipe on CIFAR-10.
_base_ = [
    '../_base_/models/bootmae-views_deit-tiny.py',
    '../_base_/datasets/folder_selfsup.py',
    '../_base_/schedules/pretrain-muon_200e.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/images'
img_size = 64

model = dict(backbone=dict(img_size=img_size, patch_size=8))
data_preprocessor = dict(
    augment=dict(size=img_size),
    views=2,
    color=dict(type='BatchColorJitter'),
)
train_dataloader = dict(
    dataset=dict(img_size=img_size, source=dict(data_root=data_root))
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
