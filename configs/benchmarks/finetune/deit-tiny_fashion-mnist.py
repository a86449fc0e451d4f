# Full finetuning on Fashion-MNIST, 100 epochs: mean of the patch tokens, layer-wise
# learning-rate decay, mixup and cutmix in alternation, label smoothing, drop path.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_fashion-mnist.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_fashion-mnist/epoch_200.pth
#
# Cost and result: not trained by this project.
# From random weights: deit-tiny_fashion-mnist_random.py
# Only the last blocks: ../partial/deit-tiny_fashion-mnist.py
# Overrides (mixup, averaged weights, distilled head, ...): see deit-tiny_cifar10.py
_base_ = [
    '../../_base_/models/finetune_deit-tiny.py',
    '../../_base_/datasets/fashion-mnist_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
data_preprocessor = dict(
    batch_augments=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
    )
)
