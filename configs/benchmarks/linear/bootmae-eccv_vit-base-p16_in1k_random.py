# Baseline of bootmae-eccv_vit-base-p16_in1k.py: the same training from random weights.
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae-eccv_vit-base-p16_in1k_random.py 8
#
# Cost and result: see bootmae-eccv_vit-base-p16_in1k.py
_base_ = './bootmae-eccv_vit-base-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
