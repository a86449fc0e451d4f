# Partial finetuning of an encoder that was not pretrained:
# what deit-tiny_fashion-mnist.py has to beat.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_fashion-mnist_random.py
_base_ = './deit-tiny_fashion-mnist.py'

model = dict(backbone=dict(init_cfg=None))
