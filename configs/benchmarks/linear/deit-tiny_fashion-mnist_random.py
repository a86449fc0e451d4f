# Baseline of deit-tiny_fashion-mnist.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_fashion-mnist_random.py
#
# Cost and result: see deit-tiny_fashion-mnist.py
_base_ = './deit-tiny_fashion-mnist.py'

model = dict(backbone=dict(init_cfg=None))
