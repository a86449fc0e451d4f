# The twin of deit-tiny_digit-scenes.py from random weights.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_digit-scenes_random.py
_base_ = 'deit-tiny_digit-scenes.py'

model = dict(backbone=dict(init_cfg=None))
