# A teacher and a mask of their own, by config alone.
_base_ = 'tiny.py'
custom_imports = dict(imports=['bootmae_plugin', 'otherteam.modules'])
model = dict(
    masking=dict(type='ColumnMasking'),
    target_generator=dict(type='MeanColour'),
)
