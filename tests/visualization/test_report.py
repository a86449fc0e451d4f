"""The report: what it reads from a work dir, and the page that it writes."""

import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config

from bootmae_plugin import UserError
from bootmae_plugin.visualization import Examples, RunFiles, build_report
from bootmae_plugin.visualization.feature_map import map_to_plane, nearest_neighbors
from bootmae_plugin.visualization.page import page, table
from bootmae_plugin.visualization.run_files import differences
from tests.tiny import ROOT, run_tool


def write_run(folder, lr=1.0, command='python tools/train.py <x>', segments=False):
    """Write a work dir of two stages of two epochs of ten steps, resumed once."""
    model = dict(masking=dict(type='RandomMasking'))
    if segments:
        model = dict(decode_head=dict(type='FCNHead'))
    cfg = dict(model=model, lr=lr, train_dataloader=dict(batch_size=8))
    for stamp, steps in (
        ('20260102_030405', (5, 10, 15)),
        ('20260102_040506', (15, 20)),
    ):
        data = folder / stamp / 'vis_data'
        data.mkdir(parents=True)
        Config({**cfg, 'work_dir': str(folder)}).dump(data / 'config.py')
        (folder / stamp / f'{stamp}.log').write_text(
            f'2026/01/02 - mmengine - INFO - command: {command}\n'
        )
        rows = [
            dict(
                loss=1 / step,
                loss_pixel=1 / step,
                stage=1 + (step > 10),
                time=0.5,
                iter=step,
                step=step,
                epoch=1 + (step - 1) // 10,
            )
            for step in steps
        ]
        rows.append({'mIoU': 50.0, 'IoU/road': 60.0, 'step': 2, 'time': 9.0})
        text = '\n'.join(json.dumps(row) for row in rows)
        (data / 'scalars.json').write_text(text)
    return RunFiles(folder)


def test_a_resumed_run_is_read_as_one(tmp_path):
    run = write_run(tmp_path / 'a')
    assert [row['step'] for row in run.training] == [5, 10, 15, 20]
    assert [row['at'] for row in run.training] == [0.5, 1.0, 1.5, 2.0]
    assert run.stage_starts == [1]
    assert run.command == 'python tools/train.py <x>'
    assert run.kind == 'pretraining' and run.checkpoint is None
    facts = run.facts
    assert facts['started'] == '2026-01-02 03:04' and facts['trainings'] == 2
    assert facts['epochs'] == 2 and facts['images/s of a process'] == 16
    assert facts['last loss'] == 1 / 20 and facts['mIoU'] == 50 and 'time' not in facts


def test_only_settings_that_differ_are_listed():
    a = dict(model=dict(depth=1, _scope_='a'), work_dir='x', same=1)
    b = dict(model=dict(depth=2, _scope_='b'), work_dir='y', same=1, new=[1])
    assert differences([a, b]) == [['model.depth', '1', '2'], ['new', '', '[1]']]


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    runs = [write_run(tmp_path / 'a'), write_run(tmp_path / 'b', lr=2.0)]
    text = build_report(runs)
    assert '<script' not in text
    # Addresses only in the names of SVG's own vocabularies.
    links = set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(https?:[^"\'\s]+)', text))
    assert links <= {'http://www.w3.org/1999/xlink'}
    assert 'python tools/train.py &lt;x&gt;' in text  # escaped
    assert re.search(r'<td>lr</td><td>1.0</td><td>2.0</td>', text)
    assert 'a: loss_pixel' in text and 'b: loss_pixel' in text  # text of the chart
    assert '#010203' not in text and 'currentColor' in text
    assert build_report(runs) == text  # the same report is the same file


def test_segmenters_show_the_iou_of_each_class(tmp_path):
    text = build_report([write_run(tmp_path / 'a', segments=True)])
    assert '<td>road</td><td class=number>60</td>' in text


def test_the_confusion_matrix_counts(tmp_path):
    run = write_run(tmp_path / 'a')
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    labels, predicted = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    examples = Examples(images, None, labels, predicted, ['cat', 'dog'])
    text = build_report([run], dict(a=examples))
    assert '4 images, 75.0 % right' in text
    assert '>cat<' in text and '>50<' in text and '>100<' in text


def test_neighbors_are_the_nearest_by_cosine():
    torch.manual_seed(0)
    features = torch.randn(30, 5)
    found = nearest_neighbors(features, queries=3, count=4)
    centered = (features - features.mean(0)).numpy()
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    for row, query in zip(found.tolist(), (0, 14, 29), strict=True):
        order = np.argsort(-(unit @ unit[query]))
        assert row == [query, *order[order != query][:4]]


def test_without_scikit_learn_the_map_is_pca(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'sklearn.manifold', None)
    torch.manual_seed(0)
    features = torch.randn(50, 6) * torch.tensor([9.0, 5, 1, 1, 1, 1])
    points, method = map_to_plane(features)
    variances = np.linalg.eigvalsh(np.cov(features.double().numpy().T))[::-1][:2]
    assert method == 'PCA'
    assert np.var(points, axis=0, ddof=1) == pytest.approx(variances)


def test_numbers_are_aligned_and_text_is_escaped():
    text = table(['a'], [['<b>'], [1.23456]])
    assert '<td>&lt;b&gt;</td>' in text and '<td class=number>1.235</td>' in text
    assert '<title>a &amp; b</title>' in page('a & b', [])


def test_the_tool_on_a_pretraining_and_a_classifier(tmp_path, capsys):
    tiny = [
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=64',
        'train_dataloader.dataset.source.indices=128',
        'model.backbone.arch.embed_dims=24',
        'model.backbone.arch.num_layers=1',
        'model.backbone.arch.num_heads=2',
    ]
    one, two = tmp_path / 'pretrained', tmp_path / 'finetuned'
    selfsup = ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py'
    finetune = ROOT / 'configs/benchmarks/finetune/deit-tiny_digits_random.py'
    single = 'default_hooks.bootstrap.num_stages=1'
    run_tool('train.py', selfsup, '--work-dir', one, '--cfg-options', *tiny, single)
    head = 'model.head.in_channels=24'
    run_tool('train.py', finetune, '--work-dir', two, '--cfg-options', *tiny, head)
    out = tmp_path / 'new folder/report.html'
    run_tool('report.py', one, two, '--out', out, '--images', 60)
    text = out.read_text()
    assert 'Features of pretrained' in text and 'Features of finetuned' in text
    assert 'Confusion matrix of finetuned' in text and '60 images' in text
    assert 'embed_dims=24' in RunFiles(one).command
    assert '--work-dir' in text
    capsys.readouterr()


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match='holds no log .*: give a work dir'):
        build_report([RunFiles(tmp_path)])
    with pytest.raises(SystemExit, match='is no folder: give work dirs'):
        run_tool('report.py', tmp_path / 'missing')
    write_run(tmp_path / 'a')
    with pytest.raises(SystemExit, match='same name'):
        run_tool('report.py', tmp_path / 'a', tmp_path / 'a')
