# Full finetuning: mean of the patch tokens, layer-wise decay, CIFAR-10.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_cifar10/epoch_200.pth
#
# From random weights: model.backbone.init_cfg=None
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/cifar10_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        drop_path_rate=0.1,
    ),
)
