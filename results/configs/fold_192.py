# fold.py for the 192-d encoder, with the recipe of the 48-d one.
#
#   python tools/study.py run results/ladders/finetune_192.py
#
# Cost and result: docs/results.md
_base_ = 'fold.py'

model = dict(backbone=dict(arch='deit-tiny'), head=dict(in_channels=192))
