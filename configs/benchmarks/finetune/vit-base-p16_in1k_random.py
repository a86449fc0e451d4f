# Baseline of vit-base-p16_in1k.py: the same training from random weights.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/vit-base-p16_in1k_random.py 8
#
# Cost and result: see vit-base-p16_in1k.py
_base_ = './vit-base-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
