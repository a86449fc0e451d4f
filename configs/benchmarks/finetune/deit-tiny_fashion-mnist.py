# Full finetuning: mean of the patch tokens, layer-wise decay, Fashion-MNIST.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_fashion-mnist.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_fashion-mnist/epoch_200.pth
#
# From random weights: model.backbone.init_cfg=None
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/fashion-mnist_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        drop_path_rate=0.1,
    ),
)
