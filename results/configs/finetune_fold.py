# fold.py with AdamW, layer decay and drop path, as the encoder's config had them before
# the ladder.
#
#   python tools/study.py run results/ladders/finetune.py
#
# Cost and result: docs/results.md
_base_ = 'fold.py'

model = dict(backbone=dict(drop_path_rate=0.1))
optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    optimizer=dict(
        _delete_=True,
        type='AdamW',
        lr=8e-3,
        betas=(0.9, 0.999),
        weight_decay=0.05,
        fused=True,
    ),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
auto_scale_lr = dict(base_batch_size=512, rule='linear')
train_cfg = dict(max_epochs=10)
