# Demo: partial finetuning of a narrow DeiT (48-d) on scikit-learn's digits: the last n of
# 12 blocks, the final norm and the head are trained, n = 1 here. Everything before them
# keeps its pretrained weights. The rest of the recipe and its overrides are in
# ../finetune/deit-tiny_digits.py.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_digits.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_digits/epoch_30.pth
#
# Cost: minutes on one CPU core.
# Result: one seed each, 12 epochs, from stage_2.pth of bootmae_deit-tiny_digits, top-1 (%) on
# the 360 held-out digits:
#   n                                0     1     2     4     6    12
#   model.backbone.frozen_stages=   12    11    10     8     6    -1
#   pretrained                    66.9  83.3  87.5  93.9  95.6  97.8
#   random weights                31.4  67.5     -  93.9     -     -
#
# n = 0 trains the head on frozen features. n = 12 is full finetuning; for it use -1: 0 would
# freeze the patch embedding and the extra tokens.
# From random weights: deit-tiny_digits_random.py
_base_ = '../finetune/deit-tiny_digits.py'

model = dict(backbone=dict(frozen_stages=11))
