# Full finetuning: mean of the patch tokens, layer-wise decay, your own labelled images.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_folder.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_folder/epoch_200.pth
#
# From random weights: model.backbone.init_cfg=None
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/folder_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
# Two lines to change. Images: <data_root>/train/<class>/* and <data_root>/test/<class>/*.
data_root = 'data/images'
num_classes = 10

model = dict(
    backbone=dict(
        img_size=64,
        patch_size=8,
        drop_path_rate=0.1,
    ),
    head=dict(num_classes=num_classes),
)
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(source=dict(data_root=f'{data_root}/train')))
val_dataloader = dict(dataset=dict(source=dict(data_root=f'{data_root}/test')))
test_dataloader = val_dataloader
