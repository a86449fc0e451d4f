# Full finetuning of an encoder that was not pretrained:
# what bootmae_vit-base-p16_in1k.py has to beat.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/bootmae_vit-base-p16_in1k_random.py 8
_base_ = './bootmae_vit-base-p16_in1k.py'

model = dict(backbone=dict(init_cfg=None))
