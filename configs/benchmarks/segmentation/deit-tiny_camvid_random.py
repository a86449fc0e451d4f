# Baseline of deit-tiny_camvid.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_camvid_random.py
#
# Cost and result: see deit-tiny_camvid.py
_base_ = './deit-tiny_camvid.py'

model = dict(backbone=dict(init_cfg=None))
