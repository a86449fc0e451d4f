# Old name of bootmae-eccv_vit-large-p16_in1k_random.py, for configs that inherit it.
_base_ = './bootmae-eccv_vit-large-p16_in1k_random.py'
