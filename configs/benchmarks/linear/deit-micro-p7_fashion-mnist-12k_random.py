# Baseline of deit-micro-p7_fashion-mnist-12k.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/linear/deit-micro-p7_fashion-mnist-12k_random.py
#
# Cost and result: see deit-micro-p7_fashion-mnist-12k.py
_base_ = './deit-micro-p7_fashion-mnist-12k.py'

model = dict(backbone=dict(init_cfg=None))
