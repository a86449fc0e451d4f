# Partial finetuning, the digits (demo): the last n of 12 blocks, final norm and
# head are trained, n = 1 here; all before them stays as it was pretrained. The recipe and
# its switches are those of ../finetune/deit-tiny_digits.py.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_digits.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_digits/epoch_30.pth
#
#   n                                0     1     2     4     6    12
#   model.backbone.frozen_stages=   12    11    10     8     6    -1
#   top-1 (%), pretrained         66.9  83.3  87.5  93.9  95.6  97.8
#   random weights                31.4  67.5     -  93.9     -     -
#
# Measured: one seed each, 12 epochs, from stage_2.pth of bootmae_deit-tiny_digits, on the
# 360 held-out digits; minutes on one CPU core.
#
# n = 0 trains the head alone, on frozen features; n = 12 is full finetuning (0 instead of
# -1 would leave the patch embedding and the extra tokens frozen).
# From random weights: deit-tiny_digits_random.py
_base_ = '../finetune/deit-tiny_digits.py'

model = dict(backbone=dict(frozen_stages=11))
