# The classifier for finetuning of 100 epochs: with drop path and label smoothing.
_base_ = 'classifier_deit-tiny.py'

model = dict(
    backbone=dict(drop_path_rate=0.1),
    head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')),
)
