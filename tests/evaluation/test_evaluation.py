"""Frozen features: extraction, cache, k-NN and linear probe against naive ones."""

import copy

import pytest
import torch
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import (
    FeatureSet,
    extract_features,
    knn_accuracy,
    linear_probe,
    load_features,
)
from bootmae_plugin.evaluation.features import cache_key
from bootmae_plugin.evaluation.knn import knn_predict
from bootmae_plugin.evaluation.knn_hook import feature_std
from bootmae_plugin.models import MaskedDeiT
from tests.tiny import ROOT, run_tool, tiny_config

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
POOLS = ['avg', 'cls', 'cls+dist', 'flatten64', 'flatten66']


def encoder(**kwargs):
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


def images(number=7):
    return torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8)


def normalise(x):
    return (x.float() - 100) / 50


def clusters(number=300, classes=4, width=8, noise=0.4):
    """Separable features with labels."""
    centres = torch.eye(width)[:classes]
    labels = torch.arange(number) % classes
    return centres[labels] + noise * torch.randn(number, width), labels


@pytest.mark.parametrize('pool', POOLS)
def test_features_are_those_of_the_config_route(pool):
    data, model = images(), encoder(out_type=pool).train()
    expected = model.eval()(normalise(data))[0]
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for batch_size in (2, 7):
        ours = extract_features(model, data, normalise, [pool], batch_size=batch_size)
        assert torch.allclose(ours[pool], expected, atol=1e-5)
    assert model.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_features_of_an_inner_block():
    data, model = images(3), encoder(out_type='avg', out_indices=0).eval()
    ours = extract_features(model, data, normalise, block=0)['avg']
    assert torch.allclose(ours, model(normalise(data))[0], atol=1e-6)
    with pytest.raises(UserError, match='block=2'):
        extract_features(model, data, normalise, block=2)
    with pytest.raises(UserError, match='flatten65'):
        extract_features(model, data, normalise, ['flatten65'])


def test_the_cache_is_not_used_for_anything_else():
    data, model = images(), encoder()
    weights = model.state_dict()
    settings = dict(pool='avg', block=-1)
    key = cache_key(weights, data, **settings)
    assert key == cache_key(copy.deepcopy(weights), data.clone(), **settings)
    changed = data.clone()
    changed[3, 0, 0, 0] += 1
    others = [
        cache_key(weights, changed, **settings),
        cache_key(weights, data[:-1], **settings),
        cache_key(encoder().state_dict(), data, **settings),
        cache_key(weights, data, pool='cls', block=-1),
        cache_key(weights, data, pool='avg', block=0),
    ]
    assert len({key, *others}) == 6


def test_the_cache_is_read_and_rebuilt(tmp_path, capsys):
    calls = []

    def make(pools):
        calls.append(pools)
        return {pool: torch.full((2, 3), float(len(pool))) for pool in pools}

    def load(**keys):
        features = load_features(tmp_path, keys, make)
        assert {p: float(f.mean()) for p, f in features.items()} == {
            pool: len(pool) for pool in keys
        }

    load(avg='k')
    load(avg='k')  # read
    load(avg='k', flatten='l', cls='m')  # what is missing is made at once
    assert calls == [['avg'], ['flatten', 'cls']]
    (tmp_path / 'k.safetensors').write_bytes(b'cut short')
    (tmp_path / 'k.partial').write_bytes(b'cut short')
    load(avg='k', cls='m')
    assert calls[2:] == [['avg']]
    said = capsys.readouterr().out
    assert 'interrupted extraction' in said
    assert 'is damaged' in said
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ['k.safetensors', 'l.safetensors', 'm.safetensors']


def test_knn_equals_a_loop():
    bank, labels = clusters()
    queries, _ = clusters(40, noise=1.0)
    expected = []
    for query in queries:
        similarity = torch.stack(
            [torch.cosine_similarity(query, row, dim=0) for row in bank]
        )
        votes = [0.0] * 4
        for i in similarity.argsort(descending=True)[:9].tolist():
            votes[int(labels[i])] += float((similarity[i] / 0.07).exp())
        expected.append(votes.index(max(votes)))
    for batch_size in (7, 100):
        ours = knn_predict(queries, bank, labels, 4, k=9, batch_size=batch_size)
        assert ours.tolist() == expected
    with pytest.raises(UserError, match='k=301 neighbours of 300'):
        knn_predict(queries, bank, labels, 4, k=301)


def test_accuracies_of_separable_and_of_random_features():
    train, test = clusters(), clusters(100)
    data = FeatureSet(*train, *test)
    assert knn_accuracy(data) > 90
    result = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert result.mean > 90
    assert len(result.scores) == 3
    assert result.mean == pytest.approx(sum(result.scores) / 3, abs=1e-3)
    again = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert again == result  # deterministic

    noise = FeatureSet(torch.randn(300, 8), train[1], torch.randn(100, 8), test[1])
    assert knn_accuracy(noise) < 50
    assert linear_probe(noise, epochs=5, seeds=[0]).mean < 50


def test_the_learning_rate_is_chosen_without_the_test_images():
    train, test = clusters(), clusters(100)
    options = dict(epochs=5, seeds=[0], rates=(1e-5, 0.1), decays=(0.0,))
    right = linear_probe(FeatureSet(*train, *test), **options)
    wrong_labels = FeatureSet(*train, test[0], test[1].roll(1))
    wrong = linear_probe(wrong_labels, **options)
    assert (right.rate, right.held_out) == (wrong.rate, wrong.held_out)
    assert right.rate == 0.1
    assert wrong.mean < 50 < right.mean


def test_copies_of_an_image_stay_on_one_side_of_the_split():
    """Features that tell images apart but no classes: a leak would score."""
    train = torch.randn(200, 400)
    labels = torch.randint(0, 4, (200,))
    data = FeatureSet(
        train.repeat(2, 1), labels.repeat(2), torch.randn(50, 400), labels[:50]
    )
    result = linear_probe(data, epochs=20, seeds=[0], copies=2)
    assert result.held_out < 45
    leaked = linear_probe(data, epochs=20, seeds=[0], copies=1)
    assert leaked.held_out > 60
    with pytest.raises(UserError, match='must be as many'):
        linear_probe(FeatureSet(train, labels[:3], train, labels))


def test_feature_std_is_one_for_noise_and_zero_for_a_constant():
    assert feature_std(torch.randn(2000, 64)) == pytest.approx(1, abs=0.05)
    assert feature_std(torch.ones(10, 8)) == pytest.approx(0, abs=1e-6)


DIGITS = dict(type='InMemoryImages', source=dict(type='Digits', indices=64))


def test_the_hook_does_not_disturb_the_run(tmp_path, capsys):
    hook = dict(type='KNNHook', train=DIGITS, test=DIGITS, interval=2, k=5)
    states = []
    for name, hooks in (('without', []), ('with', [hook])):
        cfg = tiny_config(tmp_path / name, epochs=4, stages=2, custom_hooks=hooks)
        runner = RUNNERS.build(copy.deepcopy(cfg))
        runner.train()
        states.append(runner.model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    (log,) = tmp_path.glob('with/*/*.log')
    text = log.read_text()
    assert text.count('knn_top1') == 2
    assert text.count('teacher_std') == 1  # from stage 2 on


def test_a_collapsed_teacher_is_told(tmp_path):
    hook = dict(type='KNNHook', train=DIGITS, test=DIGITS, interval=1, k=5)
    cfg = tiny_config(tmp_path, epochs=2, stages=2, custom_hooks=[hook])
    runner = RUNNERS.build(cfg)
    start = runner.model.target_generator.start_stage

    def collapsed(student):
        start(student)
        with torch.no_grad():
            encoder = runner.model.target_generator.encoder
            encoder.norm.weight.zero_()
            encoder.norm.bias.fill_(1)

    runner.model.target_generator.start_stage = collapsed
    runner.train()
    (log,) = tmp_path.glob('*/*.log')
    assert 'the teacher has collapsed' in log.read_text()


def test_the_tools(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    model = encoder()
    torch.save(model.state_dict(), tmp_path / 'a.pth')
    common = [
        'configs/benchmarks/linear/deit-tiny_digits.py', tmp_path / 'a.pth',
        '--cache', tmp_path / 'cache',
    ]  # fmt: skip
    arch = [f'model.backbone.arch.{k}={v}' for k, v in ARCH.items()]
    options = [
        'train_dataloader.dataset.source.indices=200',
        'test_dataloader.dataset.source.indices=100', *arch,
    ]  # fmt: skip
    run_tool('linear_probe.py', *common, '--pool', 'avg', 'flatten66', '--epochs', 3,
             '--cfg-options', *options)  # fmt: skip
    assert 'flatten66' in capsys.readouterr().out
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / 'cache').iterdir()}
    assert len(kept) == 4  # two poolings of two sets
    run_tool('knn.py', *common, '-k', 5, 20, '--cfg-options', *options)
    out = capsys.readouterr().out
    assert '5-NN top-1' in out
    assert '20-NN top-1' in out
    assert kept == {p: p.stat().st_mtime_ns for p in (tmp_path / 'cache').iterdir()}
    with pytest.raises(SystemExit, match="unknown out_type='max'"):
        run_tool('knn.py', *common, '--pool', 'max', '--cfg-options', *options)
    with pytest.raises(SystemExit, match='no training and test set'):
        run_tool('knn.py', 'configs/selfsup/mae_deit-tiny_cifar10.py', *common[1:])
