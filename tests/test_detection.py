"""The detection configs: the pyramid anywhere, a training where the operators are."""

import json
import math

import pytest
import torch
from mmpretrain.registry import MODELS
from torch.nn.functional import max_pool2d

from bootmae_plugin.models import MaskedViT
from bootmae_plugin.preparation.bundled import prepare_digit_objects
from tests.config_files import read
from tests.tiny import run_tool

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')
NAME = 'benchmarks/detection/mask-rcnn_bootmae-vit-base_1x_coco.py'


def test_the_pyramid_has_the_strides_of_the_heads():
    import mmseg.models  # noqa: F401 (registers the pyramid)

    torch.manual_seed(0)
    cfg = read(NAME).model
    # As deep and as fine as the config's, but narrow.
    arch = dict(embed_dims=12, num_layers=12, num_heads=2)
    encoder = MODELS.build(dict(cfg.backbone, arch=arch, init_cfg=None)).eval()
    assert type(encoder) is MaskedViT
    pyramid, fpn = cfg.neck
    pyramid = MODELS.build(dict(pyramid, embed_dim=12, norm_cfg=dict(type='BN'))).eval()
    assert fpn.in_channels == [cfg.neck[0].embed_dim] * 4

    # Of another size than the 224x224 of the pretraining, padded to pad_size_divisor.
    height, width = 96, 160
    images = torch.randn(2, 3, height, width)
    with torch.no_grad():
        levels = pyramid(encoder(images))
        latent = encoder.encode(images, blocks=range(12))
    strides = cfg.rpn_head.anchor_generator.strides
    assert cfg.roi_head.bbox_roi_extractor.featmap_strides == strides[:4]
    assert [tuple(level.shape) for level in levels] == [
        (2, 12, height // stride, width // stride) for stride in strides[:4]
    ]
    assert strides[4] == 64 and fpn.num_outs == 5  # the FPN subsamples the last level

    def patches(block: int) -> torch.Tensor:
        tokens = latent.blocks[block][:, 1:]  # without the class token
        return tokens.transpose(1, 2).unflatten(2, (height // 16, width // 16))

    # Levels 3 and 4 have no weights: block 8 as it is, block 12 at half the size.
    assert torch.equal(levels[2], patches(7))
    assert torch.equal(levels[3], max_pool2d(patches(11), 2))


def test_the_recipe_is_that_of_the_paper():
    cfg = read(NAME)
    optimizer, decay = cfg.optim_wrapper.optimizer, cfg.optim_wrapper.paramwise_cfg
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (
        'AdamW',
        4e-4,
        0.05,
    )
    assert (decay.layer_decay_rate, cfg.model.backbone.drop_path_rate) == (0.75, 0.1)
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_cfg.max_epochs == 12
    assert cfg.param_scheduler[1].milestones == [8, 11]
    assert cfg.param_scheduler[1].gamma == 0.1


def test_the_demo_trains(tmp_path):
    pytest.importorskip('mmdet', reason='mmdetection is not installed (extra: det)')
    pytest.importorskip('mmcv._ext', reason='mmcv has no compiled operators')
    data = tmp_path / 'digits'
    prepare_digit_objects(data)
    for split in ('train', 'test'):  # 8 scenes of each
        path = data / f'instances_{split}.json'
        content = json.loads(path.read_text())
        content['images'] = content['images'][:8]
        content['annotations'] = content['annotations'][:16]
        path.write_text(json.dumps(content))
    options = [
        f'data_root={data}',
        'model.backbone.init_cfg=None',
        'model.backbone.arch.num_layers=2',
        'model.backbone.out_indices=[0,0,1,1]',
        'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0',
        'val_dataloader.persistent_workers=False',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    ]
    name = 'mask-rcnn_deit-tiny_digit-objects'
    run_tool('train.py', name, '--work-dir', str(tmp_path), '--cfg-options', *options)
    (path,) = tmp_path.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [row['loss_mask'] for row in rows if 'loss_mask' in row]
    assert losses and all(map(math.isfinite, losses))
    assert any('coco/segm_mAP' in row for row in rows)
