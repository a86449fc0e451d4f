# Bootstrapped MAE with the 48-d encoder of the DeiT-Tiny / CIFAR-10 report.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny-d48_cifar10.py 8
#
# Measured 2026-11-23 on CIFAR-10 (JPEG copy, 5,000 test images), 2 CPU cores shared with
# other work, shortened to 12 epochs with K = 3: --cfg-options train_cfg.max_epochs=12
# default_hooks.bootstrap.num_stages=3 train_dataloader.batch_size=256
#   loss at the end of stage 1 / 2 / 3   pixels .539 / features .417 / features .409
#   share of the target's variance explained, stages 2 and 3   .58, .59
#   images/s   500 to 590 in stage 1, 400 in stages 2 and 3 while undisturbed
#   linear top-1 of the last stage, 3 seeds (tools/linear_probe.py
#     configs/benchmarks/linear/deit-tiny-d48_cifar10.py .../stage_3.pth --epochs 20
#     --pool avg cls cls+dist flatten64 flatten66), K = 3 and, at the same 12 epochs, K = 1:
#             avg           cls           cls+dist      flatten64     flatten66
#     K = 3   45.62 +- .11  45.32 +- .03  48.00 +- .10  56.01 +- .11  58.49 +- .09
#     K = 1   45.01 +- .04  45.68 +- .08  48.63 +- .08  57.29 +- .27  58.10 +- .10
#   20-NN top-1 (tools/knn.py, same arguments): avg 42.5, cls 38.4, flatten64 51.2
#   flatten64 linear through tools/train.py, 5 epochs with crops and flips (train_cfg.
#     max_epochs=5 train_dataloader.batch_size=256): 52.8
#
# The report's decoder (512-d, 8 blocks, 8 heads) has 114 times the weights of this one
# (8 x 12 x 512^2 in its blocks against 2 x 12 x 96^2):
#   model.neck.embed_dims=512 model.neck.depth=8 model.neck.num_heads=8
_base_ = 'bootmae_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(embed_dims=96, depth=2, num_heads=3),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
