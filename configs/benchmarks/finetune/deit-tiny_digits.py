# Full finetuning: mean of the patch tokens, layer-wise decay, the digits (demo).
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_digits.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_digits/epoch_30.pth
#
# From random weights: deit-tiny_digits_random.py. Only the last blocks:
# ../partial/deit-tiny_digits.py. Mixup, smoothing and drop path are off; to add them:
# model.head.loss.type=LabelSmoothLoss model.head.loss.label_smooth_val=0.1
# model.backbone.drop_path_rate=0.1 data_preprocessor.batch_augments.augments.type=Mixup
# data_preprocessor.batch_augments.augments.alpha=0.8
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/digits_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3),
    ),
    head=dict(in_channels=48),
)
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(
    optimizer=dict(lr=32e-3),  # at a batch of 512; it is 32
    paramwise_cfg=dict(layer_decay_rate=0.9),
)
train_cfg = dict(max_epochs=12, val_interval=4)
