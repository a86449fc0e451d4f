# Full finetuning of the report's 48-d encoder on CIFAR-10, 100 epochs (the report:
# 73.47 % top-1 after 1200 epochs; not measured here).
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny-d48_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny-d48_cifar10/epoch_200.pth
#
# From random weights: deit-tiny-d48_cifar10_random.py
# Only the last blocks: ../partial/deit-tiny-d48_cifar10.py
# The switches (mixup, averaged weights, distilled head, ...): see deit-tiny_cifar10.py.
_base_ = 'deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    head=dict(in_channels=48),
)
