# Baseline of vit-large-p16_in1k.py: the same training from random weights.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/vit-large-p16_in1k_random.py 8
#
# Cost and result: see vit-large-p16_in1k.py
_base_ = './vit-large-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
