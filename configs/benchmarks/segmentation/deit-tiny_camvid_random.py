# The twin of deit-tiny_camvid.py from random weights: what pretraining is measured by.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_camvid_random.py
_base_ = 'deit-tiny_camvid.py'

model = dict(backbone=dict(init_cfg=None))
