# View stages of the 48-d encoder as they were until 2026-11-28: masks of three quarters
# and pixels in every stage. The ladders change them; the 48-d config has what won.
#
#   python tools/study.py run results/ladders/views.py
#
# Cost and result: docs/results.md
_base_ = '../../configs/selfsup/bootmae-views_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(pixel=dict(embed_dims=96)),
)
