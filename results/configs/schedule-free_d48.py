# Schedule-free AdamW for views_d48.py (Defazio et al. 2024): a constant rate after the
# warm-up, and the average of the weights instead of a schedule. It needs
# `pip install schedulefree`.
#
#   python tools/study.py run results/ladders/optimizers.py
#
# Cost and result: docs/results.md
_base_ = 'views_d48.py'

optim_wrapper = dict(
    constructor='MergedGroupsConstructor',
    optimizer=dict(
        _delete_=True,
        type='schedulefree.AdamWScheduleFree',
        lr=4e-3,
        weight_decay=0.05,
        warmup_steps=860,
    ),
)
param_scheduler = None
custom_imports = dict(
    imports=['bootmae_plugin', 'results.schedule_free'], allow_failed_imports=False
)
custom_hooks = [dict(type='ScheduleFreeHook')]
