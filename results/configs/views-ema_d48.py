# The view stage by a moving average as it was until 2026-11-30: crops of .2 to 1 of the
# image for the student, too. A ladder changes it; the 48-d config has what won.
#
#   python tools/study.py run results/ladders/average.py
#
# Cost and result: docs/results.md
_base_ = '../../configs/selfsup/bootmae-views-ema_deit-tiny-d48_cifar10.py'

data_preprocessor = dict(augment=dict(scale=(0.2, 1.0)))
