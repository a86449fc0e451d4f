# Baseline of deit-tiny_digits.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_digits_random.py
#
# Cost and result: see deit-tiny_digits.py
_base_ = './deit-tiny_digits.py'

model = dict(backbone=dict(init_cfg=None))
