"""The command-line tools as a user runs them: results, resuming, one-line errors."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from tests.tiny import ROOT, run_tool, tiny_options

PRETRAIN = 'configs/selfsup/bootmae_deit-tiny_digits.py'
LINEAR = 'configs/benchmarks/linear/deit-tiny_digits.py'
TINY_CLASSIFIER = [
    'model.backbone.arch.embed_dims=24',
    'model.backbone.arch.num_layers=2',
    'model.backbone.arch.num_heads=2',
    'model.backbone.frozen_stages=2',
    'model.neck.input_features=24',
    'model.head.in_channels=24',
]


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def output_of(name: str, *args) -> str:
    """What a tool prints on stdout, run in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        run_tool(name, *args)
    return output.getvalue()


def error_line(name: str, *args) -> str:
    """The line of a user's error; a traceback or a success fails the test."""
    with pytest.raises(SystemExit) as stop:
        run_tool(name, *args)
    line = stop.value.code
    assert isinstance(line, str), 'a message makes the exit status 1'
    assert line.startswith('error: ')
    assert '\n' not in line
    return line


def run_process(*words, cwd, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=cwd,
        env=dict(os.environ, **env),
    )


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A pretraining in a process of its own, from another folder, not installed."""
    work_dir = tmp_path_factory.mktemp('cli') / 'pretrain'
    result = run_process(
        ROOT / 'tools/train.py', ROOT / PRETRAIN, '--work-dir', work_dir,
        '--cfg-options', 'train_cfg.max_epochs=2', *tiny_options(),
        cwd=work_dir.parent, PYTHONPATH='',
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return work_dir, result


@pytest.fixture(scope='module')
def linear(pretrained, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('cli') / 'linear'
    printed = output_of(
        'train.py', ROOT / LINEAR, '--work-dir', work_dir, '--cfg-options',
        'train_cfg.max_epochs=2', 'train_cfg.val_interval=1', *TINY_CLASSIFIER,
        f'model.backbone.init_cfg.checkpoint={pretrained[0]}/stage_2.pth',
    )  # fmt: skip
    return work_dir, printed


def test_the_terminal_shows_one_line_per_epoch(pretrained):
    work_dir, result = pretrained
    assert result.stderr == ''
    lines = result.stdout.splitlines()
    assert len(lines) == 3, result.stdout
    pattern = (r'stage 1/2  epoch 1/2  loss_pixel \d\.\d+  [\d,]+ images/s  '
               r'\d:\d\d:\d\d left')  # fmt: skip
    assert re.fullmatch(pattern, lines[1])
    assert 'stage 2/2' in lines[2]
    assert 'loss_feature' in lines[2]
    (log,) = work_dir.glob('*/*.log')
    assert 'backbone.blocks.0.attn.qkv.weight' in log.read_text()  # all is in the file


def test_testing_reproduces_the_accuracy_that_training_printed(linear):
    work_dir, trained = linear
    printed = re.findall(r'accuracy/top1 ([\d.]+)', trained)
    out = work_dir / 'metrics.json'
    tested = output_of(
        'test.py', LINEAR, work_dir / 'epoch_2.pth', '--work-dir', work_dir / 'test',
        '--out', out, '--out-item', 'metrics', '--cfg-options', *TINY_CLASSIFIER,
    )  # fmt: skip
    assert len(printed) == 2
    assert re.findall(r'accuracy/top1 ([\d.]+)', tested) == printed[-1:]
    assert f'{json.loads(out.read_text())["accuracy/top1"]:.2f}' == printed[-1]


def test_linear_evaluation_leaves_the_encoder_untouched(pretrained, linear):
    kept, trained = (
        torch.load(path, weights_only=False)['state_dict']
        for path in (pretrained[0] / 'stage_2.pth', linear[0] / 'epoch_2.pth')
    )
    encoder = [key for key in kept if key.startswith('backbone.')]
    assert encoder
    assert all(torch.equal(kept[key], trained[key]) for key in encoder)


def test_a_second_run_does_not_touch_the_first(pretrained, tmp_path):
    work_dir = tmp_path / 'copy'
    shutil.copytree(pretrained[0], work_dir)
    before = {p: p.stat().st_mtime_ns for p in work_dir.rglob('*')}
    options = ['--work-dir', work_dir, '--cfg-options', *tiny_options()]
    line = error_line('train.py', PRETRAIN, *options)
    assert '--resume' in line
    options[-1:] = ['model.neck.depth=2']
    line = error_line('train.py', PRETRAIN, '--resume', *options)
    assert 'another experiment' in line
    assert before == {p: p.stat().st_mtime_ns for p in work_dir.rglob('*')}


def test_resume_continues_from_the_newest_checkpoint(pretrained, tmp_path):
    work_dir = tmp_path / 'copy'
    shutil.copytree(pretrained[0], work_dir)
    (work_dir / 'epoch_2.pth').unlink()
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    printed = output_of(
        'train.py', ROOT / PRETRAIN, '--resume', '--work-dir', work_dir,
        '--cfg-options', 'train_cfg.max_epochs=2', *tiny_options(),
    )  # fmt: skip
    assert 'stage 2/2  epoch 2/2' in printed
    assert 'epoch 1/2' not in printed


def test_an_error_is_one_line_on_stderr_and_status_1(tmp_path):
    result = run_process(ROOT / 'tools/train.py', 'no.py', cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ''
    assert result.stderr.splitlines() == [
        'error: config no.py does not exist: give the path of a .py config, or the '
        'name of one of ours'
    ]


def test_a_missing_framework_is_one_line(tmp_path):
    (tmp_path / 'mmengine.py').write_text("raise ModuleNotFoundError('no mmengine')")
    result = run_process(
        ROOT / 'tools/cost.py', PRETRAIN, cwd=tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert result.returncode == 1
    assert result.stderr.count('\n') == 1
    assert result.stderr.startswith('error: bootmae_plugin needs mmengine>=')


@pytest.mark.parametrize(
    ('name', 'status'), [('SIGTERM', 75), ('SIGUSR1', 75), ('SIGINT', 130)]
)
def test_a_signal_during_the_imports_exits_without_a_traceback(name, status, tmp_path):
    (tmp_path / 'mmengine.py').write_text(
        f'import os, signal\nos.kill(os.getpid(), signal.{name})\n'
    )
    result = run_process(
        ROOT / 'tools/train.py', PRETRAIN, cwd=tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert (result.returncode, result.stdout, result.stderr) == (status, '', '')


def test_running_a_tool_here_restores_the_signal_handlers():
    before = signal.getsignal(signal.SIGTERM)
    error_line('train.py', 'no.py')
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ('name', 'args', 'words'),
    [
        ('train.py', ['configs/selfsup/no.py'], ['configs/selfsup/no.py']),
        ('train.py', ['bootmae_plugin::selfsup/no.py'],
         ['no.py', 'nearest are selfsup/']),
        ('train.py', ['{stage}'], ['stage_2.pth is not a config']),
        ('train.py', ['bootmae_deit-tiny_digit'], ['bootmae_deit-tiny_digits']),
        ('train.py', [PRETRAIN, '--resume', 'no.pth'], ['no.pth', 'does not exist']),
        ('train.py', [PRETRAIN, '--cfg-options', *tiny_options(),
                      'default_hooks.bootstrap.num_stages=99'],
         ['num_stages=99', '30']),
        ('train.py', [PRETRAIN, '--cfg-options', 'model.masking.mask_ratio=0.99'],
         ['mask_ratio=0.99']),
        ('train.py', [PRETRAIN, '--cfg-options', 'model.backbone.img_size=30'],
         ['30x30', 'patch_size=4']),
        ('train.py', [PRETRAIN, '--cfg-options', 'train_dataloader.batch_size=0'],
         ['train_dataloader.batch_size=0', 'whole number from 1']),
        ('train.py', [PRETRAIN, '--cfg-options', 'train_dataloader.batch_size=many'],
         ["train_dataloader.batch_size='many'", 'whole number from 1']),
        ('train.py', ['configs/selfsup/bootmae_deit-tiny_folder.py', '--cfg-options',
                      'train_dataloader.dataset.source.data_root=nowhere'],
         ['nowhere']),
        ('train.py', ['configs/selfsup/bootmae_deit-tiny_folder.py', '--cfg-options',
                      'data_root=nowhere'],
         ['nowhere']),
        ('train.py', [LINEAR], ['model.backbone.init_cfg.checkpoint']),
        ('train.py', [LINEAR, '--cfg-options', 'model.backbone.out_type=max'],
         ["'max'", 'avg']),
        ('test.py', ['{stage}', LINEAR], ['stage_2.pth is not a config', 'first']),
        ('test.py', [LINEAR, 'no.pth'], ['no.pth', 'does not exist']),
        ('test.py', [PRETRAIN, '{stage}'], ['no test_dataloader']),
        ('test.py', [LINEAR, '{stage}', '--cfg-options', *TINY_CLASSIFIER],
         ['missing keys: neck.bn', 'of a pretraining']),
        ('test.py', [LINEAR, '{truncated}'], ['truncated', '1,000 bytes']),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(name, args, words, pretrained, tmp_path):
    stage = pretrained[0] / 'stage_2.pth'
    truncated = tmp_path / 'truncated.pth'
    truncated.write_bytes(stage.read_bytes()[:1000])
    args = [a.format(stage=stage, truncated=truncated) for a in args]
    options = args.index('--cfg-options') if '--cfg-options' in args else len(args)
    args[options:options] = ['--work-dir', str(tmp_path / 'run')]
    line = error_line(name, *args)
    assert all(word in line for word in words), line
    assert not list(tmp_path.glob('run/*.pth'))
