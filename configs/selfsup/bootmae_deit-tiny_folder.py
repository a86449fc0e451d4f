# Bootstrapped MAE on your own images: any folder, no labels needed. Two lines to change:
# the folder, and perhaps the size (a multiple of 8).
#
#   python tools/prepare_data.py folder --from PHOTOS   # finds images that do not open
#   train_dataloader.dataset.on_error=skip              # leaves them out, naming them
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_folder.py 8
#
# Cost: 0.93 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py).
# Result: it depends on your images.
#
# The images are held in memory at img_size. Where they do not fit, take the standard
# pipeline: replace folder_selfsup.py below by folder_pipeline_selfsup.py.
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
