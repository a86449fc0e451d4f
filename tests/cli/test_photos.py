"""From photos to a classifier: pretrain, probe, finetune, and what they refuse."""

import contextlib
import csv
import io
import json
import re
import shutil
from collections import Counter

import numpy as np
import pytest
import timm
import torch
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file

from bootmae_plugin import config_path
from bootmae_plugin.configuration.runs import open_run
from bootmae_plugin.configuration.transfer import SEGMENT, segmentation
from bootmae_plugin.datasets.labels import Row
from bootmae_plugin.preparation.scenes import Scenes
from tests.image_files import picture
from tests.tiny import run_tool

CLASSES = {'cat': 12, 'dog': 9}
SHORT = ['--size', '16', '--epochs', '4', '--batch-size', '16']
MICRO = [*SHORT, '--arch', 'deit-micro']


def output_of(name: str, *args) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        run_tool(f'{name}.py', *args)
    return output.getvalue()


def error_of(name: str, *args) -> str:
    with pytest.raises(SystemExit) as stop:
        run_tool(f'{name}.py', *args)
    line = stop.value.code
    assert isinstance(line, str) and line.startswith('error: ') and '\n' not in line
    return line


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos')
    for label, number in CLASSES.items():
        for i in range(number):
            picture(folder / 'photos' / label / f'{i}.png', (20, 24))
    return folder


@pytest.fixture(scope='module')
def pretrained(folder):
    run = folder / 'a'
    return run, output_of('pretrain', folder / 'photos', '--out', run, *MICRO)


@pytest.fixture(scope='module')
def finetuned(folder, pretrained):
    run = folder / 'b'
    printed = output_of(
        'finetune', pretrained[0], folder / 'photos', '--out', run,
        '--epochs', 1, '--val-fraction', 0.34,
    )  # fmt: skip
    return run, printed


def test_pretraining_says_what_it_does_and_what_is_next(folder, pretrained):
    run, printed = pretrained
    first, *_, last = printed.splitlines()
    where = f'21 photos of 16x16, decoded once into {folder / "pixels"}; deit-micro, '
    assert first.startswith(f'{where}config ')
    assert len([*(folder / 'pixels').glob('16x16_*.u8')]) == 1
    assert last == f'next: bootmae probe {run} LABELED'
    assert (run / 'stage_4.pth').is_file()
    cfg = Config.fromfile(run / 'config.py')
    assert (cfg.model.backbone.img_size, cfg.model.backbone.patch_size) == (16, 4)
    assert cfg.train_dataloader.dataset.source.data_root == str(folder / 'photos')


def test_a_run_is_repeated_and_continued_from_its_config(pretrained, tmp_path):
    run, _ = pretrained
    output_of('train', run / 'config.py', '--work-dir', tmp_path / 'again')
    weights = [
        torch.load(path / 'epoch_4.pth', weights_only=False)['state_dict']
        for path in (run, tmp_path / 'again')
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    part = tmp_path / 'part'
    shutil.copytree(run, part)
    (part / 'last_checkpoint').unlink()
    for name in ('epoch_4.pth', 'stage_4.pth'):
        (part / name).unlink()
    printed = output_of('pretrain', 'photos', '--out', part, *MICRO, '--resume')
    assert 'epoch 4/4' in printed and 'epoch 3/4' not in printed
    assert (part / 'epoch_4.pth').is_file()


def test_finetuning_writes_the_split_and_the_class_names(folder, finetuned):
    run, printed = finetuned
    with open(run / 'labels.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    counts = Counter((row['label'], row['split']) for row in rows)
    assert counts == {
        ('cat', 'train'): 8, ('cat', 'val'): 4, ('dog', 'train'): 6, ('dog', 'val'): 3,
    }  # fmt: skip
    assert '2 classes, 14 train, 7 val' in printed
    meta = torch.load(run / 'epoch_1.pth', weights_only=False)['meta']
    assert list(meta['dataset_meta']['classes']) == ['cat', 'dog']
    assert printed.splitlines()[-1].startswith(f'next: bootmae test {run}/config.py')


def test_finetuning_starts_from_the_pretrained_encoder(pretrained, finetuned):
    cfg = Config.fromfile(finetuned[0] / 'config.py')
    assert cfg.model.backbone.init_cfg.checkpoint == str(pretrained[0] / 'epoch_4.pth')
    weights = [
        torch.load(run / name, weights_only=False)['state_dict']['backbone.cls_token']
        for run, name in ((pretrained[0], 'epoch_4.pth'), (finetuned[0], 'epoch_1.pth'))
    ]
    assert (weights[0] - weights[1]).abs().max() < 0.01 < weights[0].abs().max()


def test_finetuning_at_another_size(folder, pretrained, tmp_path):
    args = ['--out', tmp_path / 'run', '--epochs', 1, '--size', 48]
    printed = output_of('finetune', pretrained[0], folder / 'photos', *args)
    assert 'interpolated from 4x4 to 6x6 patches' in printed
    assert 'resampled from 4x4 to 8x8 pixels' in printed
    trained = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=False)['state_dict']
    assert trained['backbone.patch_embed.proj.weight'].shape[-2:] == (8, 8)
    assert '4 photos predicted' in output_of(
        'predict', tmp_path / 'run', *sorted((folder / 'photos/cat').iterdir())[:4],
        '--out', tmp_path / 'predictions.csv',
    )  # fmt: skip


def test_the_table_of_a_run_is_an_input_again(folder, pretrained, finetuned, tmp_path):
    args = ['--out', tmp_path / 'run', '--epochs', 1, '--labels-per-class', 3]
    table = finetuned[0] / 'labels.csv'
    printed = output_of('finetune', pretrained[0], table, *args)
    assert f'{table}: 2 classes, 6 train, 7 val' in printed


def test_probe_gives_the_figures_of_knn_and_linear_probe(folder, pretrained):
    run, table = pretrained[0], folder / 'b' / 'labels.csv'
    printed = output_of('probe', run, table, '--epochs', 2)
    figures = json.loads((run / 'probe' / 'probe.json').read_text())
    assert figures.keys() == {'avg', 'flatten'}
    checkpoint, config = run / 'epoch_4.pth', run / 'probe' / 'config.py'
    args = [config, checkpoint, '--cache', run / 'features']
    assert f'14-NN top-1 {figures["avg"]["knn"]:.2f} %' in output_of(
        'knn', *args, '-k', 14
    )
    assert f'{figures["avg"]["linear"]["mean"]:.2f} ±' in output_of(
        'linear_probe', *args, '--epochs', 2
    )
    assert f'{figures["flatten"]["knn"]:.1f}' in printed
    line = error_of('probe', run, table)
    assert 'figures of another probe' in line and '--out' in line


@pytest.mark.parametrize(
    ('name', 'args', 'words'),
    [
        ('pretrain', ['{empty}'], ['has no image']),
        ('pretrain', ['{videos}'], ['1 videos', 'ffmpeg']),
        ('pretrain', ['{one}'], ['has 1 image', 'thousands']),
        ('pretrain', ['nowhere'], ['nowhere does not exist']),
        ('pretrain', ['{photos}', '--size', '100'], ['--size 100', 'give 96']),
        ('pretrain', ['{photos}', '--arch', 'resnet'], ['--arch resnet', 'deit-small']),
        ('pretrain', ['{photos}', '--epochs', '0'], ['--epochs 0']),
        ('pretrain', ['{photos}', '--epochs', '2'], ['num_stages=4', 'epochs (2)']),
        ('pretrain', ['{photos}', '--batch-size', '0'], ['--batch-size 0']),
        ('pretrain', ['{photos}', '--hours', '-1'], ['--hours -1']),
        ('pretrain', ['{photos}', '--resume'], ['no run to continue']),
        (
            'pretrain',
            ['{broken}'],
            ['1 of 3 images cannot be read', 'x.png', '--skip-bad'],
        ),
        ('finetune', ['nowhere', '{photos}'], ['nowhere does not exist']),
        ('finetune', ['{photos}', '{photos}'], ['not the folder of a run']),
        ('finetune', ['{run}', '{empty}'], ['has no image']),
        ('finetune', ['{run}', '{one}'], ["one class, 'cat'"]),
        ('finetune', ['{run}', '{table}'], ['1 of 2 files', 'no.png']),
        ('finetune', ['{run}', '{photos}', '--labels-per-class', '99'], ['10 images']),
        ('finetune', ['{run}', '{photos}', '--size', '50'], ['--size 50', 'give 48']),
        ('probe', ['{run}', '{one}'], ["one class, 'cat'"]),
    ],
)
def test_bad_input_is_one_line(name, args, words, folder, pretrained, tmp_path):
    places = {key: tmp_path / key for key in ('empty', 'videos', 'one', 'broken')}
    for place in places.values():
        place.mkdir()
    (places['videos'] / 'a.mp4').touch()
    picture(places['one'] / 'cat/1.png')
    for i in range(2):
        picture(places['broken'] / f'{i}.png')
    (places['broken'] / 'x.png').write_bytes(b'no image')
    table = places['empty'].parent / 'labels.csv'
    table.write_text('path,label\none/cat/1.png,cat\nno.png,dog\n')
    places |= dict(photos=folder / 'photos', run=pretrained[0], table=table)
    words_given = [arg.format(**places) for arg in args]
    line = error_of(name, *words_given, '--out', tmp_path / 'run')
    assert all(word in line for word in words), line
    assert not list(tmp_path.glob('run/*.pth'))


def test_bad_photos_are_left_out_on_request(folder, tmp_path):
    shutil.copytree(folder / 'photos/dog', tmp_path / 'photos')
    for name in ('x.png', 'y.png'):
        (tmp_path / 'photos' / name).write_bytes(b'no image')
    number = len(list((tmp_path / 'photos').iterdir()))
    args = [tmp_path / 'photos', '--out', tmp_path / 'run', *MICRO]
    args += ['--batch-size', number - 1]  # one more than there are good photos
    assert 'cannot be read' in error_of('pretrain', *args)
    output_of('pretrain', *args, '--skip-bad')  # into the same folder
    assert (tmp_path / 'run/epoch_4.pth').is_file()


def test_a_second_pretraining_does_not_touch_the_first(folder, pretrained):
    run, _ = pretrained
    before = {p: p.stat().st_mtime_ns for p in run.glob('*')}
    line = error_of('pretrain', folder / 'photos', '--out', run, *MICRO)
    assert f'bootmae train {run}/config.py --resume' in line
    assert before == {p: p.stat().st_mtime_ns for p in run.glob('*')}


def test_segmentation_of_pairs_of_files(pretrained, tmp_path):
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    for i in range(4):
        picture(tmp_path / f'scenes/{i}.png', (20, 28))
        mask = np.zeros((20, 28), np.uint8)
        mask[5:15, 5:15] = 255
        Image.fromarray(mask).save(tmp_path / f'scenes/{i}_mask.png')
    run = tmp_path / 'c'
    args = ['--out', run, '--epochs', 1, '--val-fraction', 0.5, '--batch-size', 2]
    printed = output_of('segment', pretrained[0], tmp_path / 'scenes', *args)
    assert '4 scenes, 2 train; 2 classes: background, foreground' in printed
    cfg = Config.fromfile(run / 'config.py')
    assert cfg.model.backbone.init_cfg.checkpoint == str(pretrained[0] / 'epoch_4.pth')
    assert cfg.model.backbone.img_size == 16 and cfg.crop_size == (16, 16)
    assert cfg.model.backbone.out_indices == [1, 2, 3, 5]  # of 6 blocks
    meta = torch.load(run / 'epoch_1.pth', weights_only=False)['meta']
    assert list(meta['dataset_meta']['classes']) == ['background', 'foreground']
    tested = output_of('test', run / 'config.py', run / 'epoch_1.pth')
    score = re.search(r'mIoU ([\d.]+)', printed)[1]
    assert f'mIoU {score}' in tested


def test_segmentation_at_another_size(pretrained, tmp_path):
    row = Row('a.png', 'a_mask.png', 'train')
    scenes = Scenes([row], ['sky', 'road'], [0, 1], (60, 52))
    options = segmentation(open_run(pretrained[0]), tmp_path / 'a.csv', scenes, 48)
    cfg = Config.fromfile(config_path(SEGMENT))
    cfg.merge_from_dict(options)
    assert (cfg.img_size, cfg.crop_size, cfg.stride) == (48, (48, 48), (32, 32))
    assert (cfg.model.backbone.img_size, cfg.model.backbone.patch_size) == (48, 8)
    assert cfg.model.backbone.init_cfg.resample_patches
    assert 'rescales' not in cfg.model.neck  # the usual ones, for patches of 8 pixels
    same = segmentation(open_run(pretrained[0]), tmp_path / 'a.csv', scenes)
    assert same['img_size'] == 16 and same['model.backbone.patch_size'] == 4
    assert not any('resample' in key for key in same)


def test_pretraining_starts_from_timm_at_another_size(folder, tmp_path):
    model = timm.create_model('deit_tiny_distilled_patch16_224', depth=1)
    weights = tmp_path / 'timm.safetensors'
    save_file(model.state_dict(), weights)
    args = ['--from', f'timm:{weights}', '--out', tmp_path / 'run', *SHORT]
    printed = output_of('pretrain', folder / 'photos', *args)
    assert '192 channels' in printed
    cfg = Config.fromfile(tmp_path / 'run/config.py').model.backbone
    assert (cfg.type, cfg.arch.num_layers, cfg.arch.num_heads) == ('MaskedDeiT', 1, 3)
    assert 'interpolated from 14x14 to 4x4 patches' in printed
    assert 'resampled from 16x16 to 4x4 pixels' in printed
    trained = torch.load(tmp_path / 'run/epoch_4.pth', weights_only=False)['state_dict']
    pairs = [
        (trained[f'backbone.{key}'], value)
        for key, value in model.state_dict().items()
        if key.startswith('blocks.') and value.ndim == 2
    ]
    assert len(pairs) == 4
    assert all((a - b).abs().max() < 0.01 < b.abs().max() for a, b in pairs)


def test_pretraining_continues_from_a_run(pretrained, folder, tmp_path):
    args = ['--from', pretrained[0], '--out', tmp_path / 'run', *SHORT]
    output_of('pretrain', folder / 'photos', *args)
    start = Config.fromfile(tmp_path / 'run/config.py').model.backbone.init_cfg
    assert start.checkpoint == str(pretrained[0] / 'epoch_4.pth')
    line = error_of('pretrain', folder / 'photos', *args[:4], '--arch', 'vit-tiny')
    assert 'are of deit-micro: leave --arch out' in line
    args[1] = 'nowhere.pth'
    assert '--from nowhere.pth does not exist' in error_of(
        'pretrain', folder / 'photos', *args
    )
