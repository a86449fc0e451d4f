# Linear evaluation of an encoder that was not pretrained:
# what bootmae_vit-large-p16_in1k.py has to beat.
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae_vit-large-p16_in1k_random.py 8
_base_ = './bootmae_vit-large-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
