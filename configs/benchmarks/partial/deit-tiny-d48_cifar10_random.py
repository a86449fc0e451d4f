# Partial finetuning of an encoder that was not pretrained:
# what deit-tiny-d48_cifar10.py has to beat.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny-d48_cifar10_random.py
_base_ = './deit-tiny-d48_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
