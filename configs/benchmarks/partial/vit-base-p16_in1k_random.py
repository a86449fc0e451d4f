# Partial finetuning of an encoder that was not pretrained:
# what vit-base-p16_in1k.py has to beat.
#
#   bash tools/dist_train.sh configs/benchmarks/partial/vit-base-p16_in1k_random.py 8
_base_ = './vit-base-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
