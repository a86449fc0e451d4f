# Bootstrapped MAE (K = 4) of DeiT-Tiny (192-d, patch 8) on your own images, held in memory
# at img_size: no labels needed. Set data_root, and img_size (a multiple of 8) if you like.
# If the images do not fit into memory: bootmae_deit-tiny_folder-disk.py
#
#   python tools/prepare_data.py folder --from PHOTOS     # lists the unreadable images
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_folder.py 8 \
#       --cfg-options data_root=PHOTOS
#
# Unreadable images stop the run; train_dataloader.dataset.on_error=skip leaves them out and
# names them in the log.
#
# Cost: 0.93 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py).
# Result: it depends on your images.
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/folder_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/images'
img_size = 64

model = dict(backbone=dict(img_size=img_size, patch_size=8))
data_preprocessor = dict(augment=dict(size=img_size))
train_dataloader = dict(
    dataset=dict(img_size=img_size, source=dict(data_root=data_root))
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
