# Full finetuning of an encoder that was not pretrained:
# what deit-tiny_cifar10.py has to beat.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_cifar10_random.py
_base_ = './deit-tiny_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
