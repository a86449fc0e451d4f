# Choosing a recipe of segmentation: that of CamVid, tested on its validation
# images; no test image is read.
#
#   python tools/study.py run results/ladders/segment.py
#
# Cost and result: docs/results.md
_base_ = '../../configs/benchmarks/segmentation/deit-tiny_camvid.py'

test_dataloader = {{_base_.val_dataloader}}
test_evaluator = {{_base_.val_evaluator}}
