# As finetune_fold.py, with Muon for the matrices of the transformer blocks.
#
#   python tools/study.py run results/ladders/finetune.py
#
# Cost and result: docs/results.md
_base_ = 'finetune_fold.py'

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
