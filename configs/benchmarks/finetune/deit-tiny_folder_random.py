# Full finetuning of an encoder that was not pretrained:
# what deit-tiny_folder.py has to beat.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_folder_random.py
_base_ = './deit-tiny_folder.py'

model = dict(backbone=dict(init_cfg=None))
