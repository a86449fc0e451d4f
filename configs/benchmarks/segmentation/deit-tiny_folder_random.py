# Baseline of deit-tiny_folder.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_folder_random.py
#
# Cost and result: see deit-tiny_folder.py
_base_ = './deit-tiny_folder.py'

model = dict(backbone=dict(init_cfg=None))
