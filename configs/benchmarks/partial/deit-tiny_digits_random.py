# Partial finetuning of an encoder that was not pretrained:
# what deit-tiny_digits.py has to beat.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_digits_random.py
_base_ = './deit-tiny_digits.py'

model = dict(backbone=dict(init_cfg=None))
