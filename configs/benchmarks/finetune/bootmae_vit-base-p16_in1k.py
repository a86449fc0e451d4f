# Old name of bootmae-eccv_vit-base-p16_in1k.py, for configs that inherit it.
_base_ = './bootmae-eccv_vit-base-p16_in1k.py'
