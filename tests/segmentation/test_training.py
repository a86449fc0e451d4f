"""The segmentation configs, trained and tested on generated scenes."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from PIL import Image

from tests.segmentation.seg_data import camvid, write_scenes
from tests.tiny import ROOT, run_tool

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')

FOLDER = ROOT / 'configs/benchmarks/segmentation'
CONFIGS = sorted(
    path.name for path in FOLDER.glob('*.py') if not path.name.startswith('bootmae_')
)
TWINS = [name for name in CONFIGS if name.endswith('_random.py')]
ARCH = dict(embed_dims=24, num_heads=2)


def tiny(name, folder, **options) -> Config:
    """Return the config with a narrow encoder of equal depth and without workers."""
    cfg = Config.fromfile(FOLDER / name)
    dims = ARCH['embed_dims']
    depth = cfg.model.backbone.out_indices[-1] + 1  # 12; 6 of deit-micro
    arch = dict(ARCH, num_layers=depth)
    cfg.model.backbone.update(arch=arch, drop_path_rate=0.0)
    cfg.model.neck.embed_dim = dims
    cfg.model.decode_head.update(in_channels=[dims] * 4, channels=16)
    cfg.model.auxiliary_head.update(in_channels=dims, channels=16)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            dataset.data_root = str(folder)
    cfg.train_dataloader.batch_size = 2
    cfg.merge_from_dict(options)
    return cfg


def write(cfg, path):
    cfg.dump(path)
    return path


def encoder_weights(cfg, path):
    """Write a checkpoint as pretraining does, and return the encoder's weights."""
    keys = ('type', 'arch', 'img_size', 'patch_size')
    model = {k: cfg.model.backbone[k] for k in keys}
    weights = MODELS.build(model).state_dict()
    torch.save(dict(state_dict={'backbone.' + k: v for k, v in weights.items()}), path)
    return weights


@pytest.mark.parametrize('name', CONFIGS)
def test_classes_and_pipelines_fit(name):
    cfg = Config.fromfile(FOLDER / name)
    classes = {cfg.model[k].num_classes for k in ('decode_head', 'auxiliary_head')}
    sets = cfg.val_dataloader.dataset, cfg.test_dataloader.dataset
    for dataset in sets:
        if 'classes' in dataset:
            assert classes == {len(dataset.classes)}
            palette = dataset.get('palette', dataset.classes)  # SegTable draws one
            assert len(palette) == len(dataset.classes)
            assert dataset.split != cfg.train_dataloader.dataset.split
        # Evaluation is not random.
        assert not any('Random' in t.type for t in dataset.pipeline)
    muon = 'Muon' in cfg.optim_wrapper.optimizer.type
    assert (cfg.optim_wrapper.paramwise_cfg.layer_decay_rate == 1) == muon


@pytest.mark.parametrize('name', TWINS)
def test_the_twin_differs_in_init_cfg_only(name):
    twin = Config.fromfile(FOLDER / name)
    base = Config.fromfile(FOLDER / name.replace('_random', ''))
    assert base.model.backbone.init_cfg.type == 'Pretrained'
    base.model.backbone.init_cfg = None
    assert twin.to_dict() == base.to_dict()


@pytest.mark.parametrize('name', [name for name in CONFIGS if name not in TWINS])
def test_a_pretraining_checkpoint_loads_and_a_step_trains_everything(name, tmp_path):
    from mmengine.optim import build_optim_wrapper
    from mmengine.structures import PixelData
    from mmseg.registry import MODELS as SEG_MODELS
    from mmseg.structures import SegDataSample

    cfg = tiny(name, tmp_path)
    weights = encoder_weights(cfg, tmp_path / 'a.pth')
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'a.pth')
    init_default_scope('mmseg')
    model = SEG_MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, weights[key]), key
    std = 0.01 if 'vit-base' in name else 0.1  # classifiers with few channels
    for head in (model.decode_head, model.auxiliary_head):
        assert head.conv_seg.weight.detach().std().item() == pytest.approx(std, rel=0.3)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    size = [min(side, 128) for side in cfg.data_preprocessor.size]
    model.data_preprocessor.size = size
    samples = []
    for _ in range(2):
        labels = torch.randint(0, model.decode_head.num_classes, (1, *size))
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=labels)))
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in range(2)]
    before = {k: v.clone() for k, v in model.named_parameters()}
    out = model.train_step(dict(inputs=images, data_samples=samples), wrapper)
    assert torch.isfinite(out['loss'])
    after = dict(model.named_parameters())
    same = {k for k in before if torch.equal(before[k], after[k])}
    norm = {'backbone.norm.weight', 'backbone.norm.bias'}  # not used, see below
    assert same == norm | {'backbone.pos_embed'}


@pytest.mark.parametrize('name', [name for name in CONFIGS if name not in TWINS])
def test_the_pyramid_gets_the_outputs_of_the_blocks_without_a_norm(name, tmp_path):
    cfg = tiny(name, tmp_path)
    encoder = MODELS.build(dict(cfg.model.backbone, init_cfg=None)).eval()
    size = cfg.model.backbone.img_size
    images = torch.randn(1, 3, size, size)
    blocks = cfg.model.backbone.out_indices
    assert blocks[-1] == encoder.num_layers - 1
    if encoder.num_layers == 12:
        assert blocks == (3, 5, 7, 11)
    tokens, outputs = encoder.encode(images, blocks=blocks)
    extra = encoder.num_extra_tokens
    for i, features in zip(blocks, encoder(images), strict=True):
        assert torch.equal(features.flatten(2).mT, outputs[i][:, extra:])
    assert not torch.allclose(outputs[blocks[-1]], tokens, atol=0.1)  # the norm matters


def test_camvid_trains_and_tests_with_the_tools(tmp_path, capsys):
    cfg = tiny(
        'deit-tiny_camvid.py', camvid(tmp_path / 'camvid', 5),
        **{'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1},
    )  # fmt: skip
    encoder_weights(cfg, tmp_path / 'a.pth')
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'a.pth')
    config = write(cfg, tmp_path / 'camvid.py')
    run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    out = capsys.readouterr().out
    assert 'mIoU' in out
    assert 'IoU/sky' not in out  # only the test prints a table of the classes
    scores = []
    for turn in ('once', 'again'):
        work, file = tmp_path / turn, tmp_path / f'{turn}.json'
        run_tool(
            'test.py', config, tmp_path / 'run/epoch_1.pth', '--work-dir', work,
            '--out', file, '--out-item', 'metrics', '--show-dir', work / 'each',
            '--interval', 2,
        )  # fmt: skip
        scores.append(json.loads(file.read_text()))
        out = capsys.readouterr().out
        assert 'mIoU' in out
        assert 'bicyclist' in out
        assert sorted(p.name for p in (work / 'each').iterdir()) == [
            '0.png', '2.png', '4.png',
        ]  # fmt: skip
    assert scores[0] == scores[1]
    assert len([key for key in scores[0] if key.startswith('IoU/')]) == 11
    with Image.open(tmp_path / 'once/predictions.png') as picture:
        assert min(picture.size) > 300

    with pytest.raises(SystemExit, match='num_classes') as stop:
        run_tool(
            'test.py', config, tmp_path / 'run/epoch_1.pth', '--cfg-options',
            'model.decode_head.num_classes=12', 'model.auxiliary_head.num_classes=12',
        )  # fmt: skip
    assert str(stop.value).count('\n') == 0
    (tmp_path / 'camvid/ann_dir/test/3.png').unlink()
    with pytest.raises(SystemExit, match='no label map'):
        run_tool('test.py', config, tmp_path / 'run/epoch_1.pth')


def test_ade20k_trains_by_iterations_and_tests_on_windows(tmp_path, capsys):
    layout = {f'images/{s}': f'annotations/{s}' for s in ('training', 'validation')}
    data = write_scenes(tmp_path / 'ade', layout, 2, size=(70, 90), labels=151)
    small = (64, 64)
    cfg = tiny(
        'bootmae-eccv_vit-base-p16_ade20k.py', data,
        **{
            'model.backbone.init_cfg': None,
            'data_preprocessor.size': small,
            'train_dataloader.dataset.pipeline.2.scale': (90, 70),
            'train_dataloader.dataset.pipeline.3.crop_size': small,
            'model.test_cfg.crop_size': small,
            'model.test_cfg.stride': (43, 43),
            'train_cfg.max_iters': 3,
            'train_cfg.val_interval': 2,
            'param_scheduler.0.end': 1,
            'param_scheduler.1.begin': 1,
            'param_scheduler.1.end': 3,
            'default_hooks.checkpoint.interval': 3,
        },
    )  # fmt: skip
    for split in ('val', 'test'):
        cfg[f'{split}_dataloader'].dataset.pipeline[1].scale = (90, 70)
    config = write(cfg, tmp_path / 'ade.py')
    run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    lines = capsys.readouterr().out.splitlines()
    kept = [line for line in lines if line.startswith('iteration')]
    assert [line.split()[1] for line in kept] == ['2/3', '3/3']
    assert len([line for line in lines if 'mIoU' in line]) == 2
    run_tool('test.py', config, tmp_path / 'run/iter_3.pth', '--work-dir', tmp_path)
    assert 'mIoU' in capsys.readouterr().out
    assert (tmp_path / 'predictions.png').is_file()
