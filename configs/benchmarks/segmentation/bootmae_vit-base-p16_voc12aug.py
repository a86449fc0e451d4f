# Old name of bootmae-eccv_vit-base-p16_voc12aug.py, for configs that inherit it.
_base_ = './bootmae-eccv_vit-base-p16_voc12aug.py'
