# Baseline of deit-micro-p7_fashion-scenes.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-micro-p7_fashion-scenes_random.py
#
# Cost and result: see deit-micro-p7_fashion-scenes.py
_base_ = './deit-micro-p7_fashion-scenes.py'

model = dict(backbone=dict(init_cfg=None))
