# View stages (K = 4) of the distilled DeiT-Tiny (192-d, patch 8) on 96x96 crops of
# CamVid's 367 training images, 160 epochs: a trial beside
# configs/selfsup/bootmae_deit-tiny_camvid.py.
#
#   python tools/prepare_data.py camvid --from camvid-240x180.tar
#   python tools/train.py results/configs/bootmae-views_deit-tiny_camvid.py
#
# The teacher's view is cut out of the student's crop: two crops of a street scene would
# often have nothing in common.
#
# Cost: 2.06 GFLOP per image in stage 1, 3.82 in stages 2 to 4 (tools/cost.py).
# Result: the encoder is compared in results/ladders/segment.py.
_base_ = '../../configs/selfsup/bootmae-views_deit-tiny_folder.py'
data_root = 'data/camvid'
img_size = 96  # of a crop

model = dict(backbone=dict(img_size=img_size))
# A crop covers .1 to .6 of an image: objects appear about as large as in finetuning.
data_preprocessor = dict(
    augment=dict(size=img_size, scale=(0.1, 0.6)),
    nested=True,
    second_view=dict(type='BatchRandomResizedCrop', size=img_size, scale=(0.3, 1.0)),
)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        img_size=(180, 240),  # whole images in memory
        source=dict(data_root=f'{data_root}/img_dir/train'),
    ),
)
train_cfg = dict(max_epochs=160)
default_hooks = dict(checkpoint=dict(interval=50), logger=dict(interval=5))
