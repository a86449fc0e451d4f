"""The command convert prints the formats and what was dropped."""

import pytest
import torch

from bootmae_plugin.cli import convert
from tests.checkpoints.test_formats import timm_model


def test_formats_and_dropped_parts_are_printed(tmp_path, capsys):
    source, target = tmp_path / 'timm.pth', tmp_path / 'ours.pth'
    weights = timm_model().state_dict()
    torch.save(weights, source)
    convert.main([str(source), str(target)])
    assert capsys.readouterr().out.splitlines() == [
        f'{source}: timm ViT or DeiT, or the official MAE encoder, '
        f'{len(weights)} tensors',
        f'{target}: {len(weights) - 4} tensors for plugin',
        'dropped: head (2 tensors), head_dist (2 tensors)',
    ]
    with pytest.raises(SystemExit, match='error: .* exists already'):
        convert.main([str(source), str(target)])
    convert.main([str(source), str(target), '--force', '--to', 'timm'])
    with pytest.raises(SystemExit):
        convert.main([str(source), str(target), '--to', 'onnx'])
