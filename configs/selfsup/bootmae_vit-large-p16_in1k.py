# Old name of bootmae-eccv_vit-large-p16_in1k.py, for configs that inherit it.
_base_ = './bootmae-eccv_vit-large-p16_in1k.py'
