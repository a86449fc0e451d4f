"""tools/release.py: a finished run becomes weights that ship with the package."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain import FeatureExtractor, get_model, list_models
from mmpretrain.apis import ModelHub
from mmpretrain.registry import MODELS

import bootmae_plugin
from bootmae_plugin import UserError
from bootmae_plugin.checkpoints import load_encoder, read_checkpoint, shipped
from bootmae_plugin.cli import knn
from bootmae_plugin.configuration.photos import start_from
from bootmae_plugin.configuration.runs import open_run
from bootmae_plugin.datasets.digits import load_digits_rgb
from bootmae_plugin.evaluation.results import COLUMNS
from bootmae_plugin.visualization import RunFiles
from dev import release
from tests.tiny import ROOT, TINY, tiny_config

NAME = 'bootmae_deit-tiny_digits'
ADDRESS = f'bootmae_plugin://{NAME}'
SHIPPED = sorted((ROOT / 'weights').glob('*.json'))


def write_run(folder, epochs=2, start=None):
    """Write the folder of a run; return the weights of its encoder."""
    torch.manual_seed(0)
    cfg = tiny_config(folder, epochs=2)
    model = MODELS.build(cfg.model)
    if start:
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=start)
    data = folder / '20260101_000000/vis_data'
    data.mkdir(parents=True)
    cfg.dump(folder / f'{NAME}.py')
    cfg.dump(data / 'config.py')
    (data.parent / 'a.log').write_text('command: python tools/train.py x\n')
    row = dict(loss=1.0, stage=2, time=1.8, epoch=epochs, iter=8, step=8)
    (data / 'scalars.json').write_text(json.dumps(row) + '\n')
    torch.save(dict(state_dict=model.state_dict()), folder / f'epoch_{epochs}.pth')
    return model.backbone.state_dict()


@pytest.fixture(scope='module')
def released(tmp_path_factory):
    """A checkout in which a tiny run was released twice, and its encoder's weights."""
    top = tmp_path_factory.mktemp('checkout')
    encoder = write_run(top / 'run')
    (top / 'configs').mkdir()
    (top / 'docs').mkdir()
    (top / 'results').mkdir()
    shutil.copy(ROOT / 'configs/metafile.yml', top / 'configs')
    (top / 'docs/zoo.md').write_text('# Models\n')
    base = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'
    arch = TINY['model.backbone.arch']
    for name in ('a', 'b'):
        (top / f'{name}.py').write_text(
            f"_base_ = '{base}'\n"
            f'model = dict(backbone=dict(arch=dict(_delete_=True, **{arch})))\n'
            'few = dict(dataset=dict(source=dict(indices=64)))\n'
            'train_dataloader = test_dataloader = few\n'
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setattr(shipped, 'FOLDER', top / 'weights')
        words = ['run', '--benchmark', 'a.py', '--check', 'b.py', '--threads', '2']
        with pytest.MonkeyPatch.context() as first:  # without the slower protocol
            first.setattr(release.linear_probe, 'main', lambda words: None)
            release.main(words)
        release.main(words)
        yield top, encoder


def test_the_file_is_the_encoder(released):
    top, encoder = released
    model = MODELS.build(dict(tiny_config('x').model.backbone))
    load_encoder(model, ADDRESS)
    for key, value in model.state_dict().items():
        assert torch.equal(value, encoder[key]), key
    facts = json.loads((top / f'weights/{NAME}.json').read_text())
    assert facts['sha256'] == shipped.sha256(top / f'weights/{NAME}.safetensors')
    assert facts['parameters'] == sum(value.numel() for value in encoder.values())
    assert facts['core_hours'] == round(8 * 1.8 * 2 / 3600, 2)
    assert facts['device'] == 'CPU' and not facts['gpu_hours']
    config = (top / f'weights/{NAME}.py').read_text()
    assert 'work_dir' not in config and str(top) not in config


def test_figures_and_card_come_from_the_shipped_file(released):
    top, _ = released
    figures = list(csv.DictReader((top / 'results/zoo.csv').open()))
    found = [(r['config'], r['checkpoint'], r['protocol'], r['pool']) for r in figures]
    assert len(set(found)) == len(found) == 14  # the second release replaced the first
    card = (top / 'docs/zoo.md').read_text()
    assert card.count(f'<!-- card {NAME} -->') == 1
    for row in figures:
        if row['config'] == 'a.py':
            assert row['mean'] in card
    assert '2 epochs in 2 stages, batch 16' in card


def test_mmpretrain_finds_model_and_weights_by_name(released, monkeypatch, tmp_path):
    top, encoder = released
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    index = top / 'configs/metafile.yml'
    entry = index.read_text().partition(f'  - Name: {NAME}\n')[2].partition('- Name')[0]
    assert 'Epochs: 2,' in entry  # of the run, not of the config
    ModelHub.register_model_index(index, config_prefix=top)
    assert NAME in list_models('bootmae_deit*')
    model = get_model(NAME, pretrained=True)
    assert type(model) is bootmae_plugin.models.BootMAE
    assert torch.equal(model.backbone.pos_embed, encoder['pos_embed'])
    images, _ = load_digits_rgb('test')
    rgb = torch.from_numpy(images[:3]).permute(0, 3, 1, 2)
    ((own,), *_) = FeatureExtractor(NAME)([images[0][..., ::-1], images[1][..., ::-1]])
    inputs = model.data_preprocessor(dict(inputs=rgb))['inputs']
    with torch.no_grad():
        (expected,) = model.extract_feat(inputs)
    assert torch.allclose(own, expected[0], atol=1e-6)


def test_commands_take_the_address(released):
    options = start_from(ADDRESS, None)
    arch = options['model.backbone.arch']
    assert arch.items() >= TINY['model.backbone.arch'].items()  # also the heads
    assert options['model.backbone.init_cfg']['checkpoint'].endswith('.safetensors')


def test_damaged_and_missing_weights_are_refused(released):
    top, _ = released
    path = top / f'weights/{NAME}.safetensors'
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match='is missing or damaged .its SHA-256'):
        read_checkpoint(ADDRESS)
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'no weights .*//x, but those of {NAME}'):
        read_checkpoint('bootmae_plugin://x')


def test_a_large_encoder_is_stored_in_half_precision_outside_of_the_wheel(
    released, tmp_path, monkeypatch
):
    top, _ = released
    encoder = write_run(tmp_path / 'run')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, 'FOLDER', tmp_path / 'weights')
    monkeypatch.setattr(release, 'FOR_WHEEL', 4)
    release.write_files(RunFiles(tmp_path / 'run'), NAME, str(top / 'a.py'), 1)
    path = tmp_path / f'weights/large/{NAME}.safetensors'
    weights = read_checkpoint(ADDRESS)
    assert weights.keys() == {f'backbone.{key}' for key in encoder}
    assert all(
        torch.equal(weights[f'backbone.{k}'], v.half()) for k, v in encoder.items()
    )
    model = MODELS.build(dict(tiny_config('x').model.backbone))
    load_encoder(model, ADDRESS)
    for key, value in model.state_dict().items():
        assert torch.equal(value, encoder[key].half().float()), key
    run = open_run(ADDRESS)
    assert run.checkpoint == path and run.config.model.type == 'BootMAE'
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        UserError, match='is missing or damaged .*: copy weights/large/'
    ):
        read_checkpoint(ADDRESS)
    path.unlink()  # as in the wheel
    with pytest.raises(
        UserError, match=r'MB\) is not in the wheel: copy weights/large/'
    ):
        read_checkpoint(ADDRESS)


def test_a_card_leaves_out_a_figure_that_only_another_encoder_has(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(release, 'FIGURES', tmp_path / 'zoo.csv')
    figures = [(ADDRESS, 'avg', 1.5), ('other', 'avg', 2.5), ('other', 'cls', 3.5)]
    with release.FIGURES.open('w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for checkpoint, pool, mean in figures:
            row = dict(checkpoint=checkpoint, pool=pool, mean=mean)
            writer.writerow(dict(config='a.py', protocol='linear', **row))
    assert release.figures_table(NAME, 'a.py')[2:] == ['| linear | avg | 1.5 |']


def test_the_check_has_the_architecture_of_the_encoder(released):
    top, _ = released
    digits = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'
    assert release.same_arch(NAME, str(top / 'b.py')) == []
    options = release.same_arch(NAME, str(digits))
    assert options[0] == '--cfg-options'
    width = TINY['model.backbone.arch']['embed_dims']
    assert f'model.backbone.arch.embed_dims={width}' in options


def test_without_controls_their_older_figures_are_kept(released, monkeypatch, tmp_path):
    top = shutil.copytree(released[0], tmp_path / 'copy')
    monkeypatch.chdir(top)
    before = list(csv.DictReader((top / 'results/zoo.csv').open()))
    asked = []
    monkeypatch.setattr(release.knn, 'main', asked.append)
    monkeypatch.setattr(release.linear_probe, 'main', asked.append)
    release.evaluate(NAME, 'a.py', 'b.py', controls=False)
    assert len(asked) == 3 and not any('--controls' in words for words in asked)
    kept = list(csv.DictReader((top / 'results/zoo.csv').open()))
    assert kept == [row for row in before if row['checkpoint'] != ADDRESS] != []


def test_a_run_may_start_from_the_shipped_encoder(released, monkeypatch, tmp_path):
    top = shutil.copytree(released[0], tmp_path / 'copy')
    monkeypatch.chdir(top)
    monkeypatch.setattr(shipped, 'FOLDER', top / 'weights')
    before = json.loads((top / f'weights/{NAME}.json').read_text())
    write_run(top / 'next', start=ADDRESS)
    run = RunFiles(top / 'next')
    release.write_files(run, NAME, 'a.py', 3)
    facts = json.loads((top / f'weights/{NAME}.json').read_text())
    assert facts['started_from'] == before
    assert facts['epochs'] == before['epochs'] + 2
    assert facts['stages'] == before['stages'] + 2
    cost = before['core_hours'] + round(8 * 1.8 * 3 / 3600, 2)
    assert facts['core_hours'] == pytest.approx(cost) and facts['precision'] == 'bf16'
    config = Config.fromfile(top / f'weights/{NAME}.py')
    assert config.model.backbone.init_cfg is None
    release.write_card(NAME, 'a.py')
    card = (top / 'docs/zoo.md').read_text()
    assert '4 epochs in 4 stages, batch 16, of which 2 epochs in 2 stages' in card
    # What another file has cost is not known.
    path = top / f'weights/{NAME}.safetensors'
    write_run(top / 'other', start=str(path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match='started from .*, which is not the encoder of'):
        release.write_files(RunFiles(top / 'other'), NAME, 'a.py', 1)


def test_an_unfinished_run_is_not_released(released, tmp_path):
    write_run(tmp_path / 'run', epochs=1)
    with pytest.raises(UserError, match='has trained 1 of 2 epochs'):
        release.name_of(RunFiles(tmp_path / 'run'))


@pytest.mark.skipif(not SHIPPED, reason='no weights ship yet: tools/release.py')
def test_the_shipped_encoders_have_their_figures(tmp_path, monkeypatch):
    """k-NN on the 360 held-out digits, as in results/zoo.csv; two images may differ."""
    monkeypatch.setattr(shipped, 'FOLDER', ROOT / 'weights')  # not that of the others
    monkeypatch.chdir(ROOT)
    figures = list(csv.DictReader((ROOT / 'results/zoo.csv').open()))
    for path in SHIPPED:
        address = f'bootmae_plugin://{path.stem}'
        asked = [
            row
            for row in figures
            if row['checkpoint'] == address and row['config'] == release.CHECK
        ]
        assert len(asked) == 2
        cache, out = str(tmp_path / 'cache'), tmp_path / f'{path.stem}.csv'
        pools = [row['pool'] for row in asked]
        words = ['--pool', *pools, '--cache', cache, '--csv', str(out)]
        check = str(ROOT / release.CHECK)
        knn.main([check, address, *words, *release.same_arch(path.stem, check)])
        again = list(csv.DictReader(out.open()))
        for old, new in zip(asked, again, strict=True):
            assert abs(float(old['mean']) - float(new['mean'])) <= 0.6
        model = get_model(path.stem, pretrained=True)
        weights = read_checkpoint(address)
        key = 'backbone.blocks.0.attn.qkv.weight'
        assert torch.equal(model.state_dict()[key], weights[key].float())
        assert Config.fromfile(path.with_suffix('.py')).train_cfg.max_epochs > 0


def test_a_shipped_run_has_its_folder_outside_of_the_package(released):
    run = open_run(ADDRESS)
    assert run.folder == Path(NAME) and run.checkpoint.is_file()
