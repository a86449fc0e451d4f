# Baseline of deit-tiny_cifar10.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_cifar10_random.py
#
# Cost and result: see deit-tiny_cifar10.py. Layer decay slows the first blocks down, which may
# hurt random weights (docs/choosing.md, Finetuning with few labels); without it:
#   optim_wrapper.paramwise_cfg.layer_decay_rate=1.0
_base_ = './deit-tiny_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
