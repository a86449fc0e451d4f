# As deit-tiny-d48_cifar10_fold.py, with Muon for the matrices of the transformer blocks.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny-d48_cifar10_fold-muon.py \
#       --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny-d48_cifar10/epoch_200.pth
#
# Cost and result: the runs of results/ladders/finetune.py, in docs/results.md.
_base_ = 'deit-tiny-d48_cifar10_fold.py'

optim_wrapper = dict(
    constructor='MuonLayerDecayConstructor',
    optimizer=dict(
        _delete_=True,
        type='timm.optim.Muon',
        lr=8e-3,
        betas=(0.9, 0.95),
        weight_decay=0.05,
    ),
)
