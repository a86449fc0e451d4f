# Baseline of deit-tiny_digit-scenes.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_digit-scenes_random.py
#
# Cost and result: see deit-tiny_digit-scenes.py
_base_ = './deit-tiny_digit-scenes.py'

model = dict(backbone=dict(init_cfg=None))
