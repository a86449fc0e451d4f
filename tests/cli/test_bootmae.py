"""The command ``bootmae``: its table of contents, and how it starts a subcommand."""

import importlib
import re
import subprocess
import sys

import pytest

import bootmae_main
from bootmae_plugin.cli.doctor import precision
from bootmae_plugin.configuration.names import find_config
from bootmae_plugin.hints import command
from tests.tiny import ROOT

NAMES = [name for group in bootmae_main.COMMANDS.values() for name in group]
# Runs bootmae with the words of the command line, then says what was imported.
PROBE = """
import sys
import bootmae_main
try:
    bootmae_main.main(sys.argv[1:])
except SystemExit as stop:
    print(stop.code)
print({'torch', 'mmengine', 'bootmae_plugin'} & sys.modules.keys())
"""


def start(*words, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, **options
    )


def test_help_imports_neither_torch_nor_the_package():
    result = start('-c', PROBE, '-h')
    *lines, imported = result.stdout.splitlines()
    assert imported == 'set()', result.stderr
    assert lines[0] == 'usage: bootmae COMMAND ...'
    assert [line.split()[0] for line in lines if line.startswith('  ')] == NAMES


@pytest.mark.parametrize('name', sorted(bootmae_main.WITHOUT_FRAMEWORK))
def test_a_light_subcommand_starts_without_torch(name):
    result = start('-c', PROBE, name, '-h')
    assert result.stdout.splitlines()[-1] == "{'bootmae_plugin'}", result.stderr
    assert f'usage: bootmae {name}' in result.stdout


@pytest.mark.parametrize('name', NAMES)
def test_every_subcommand_has_a_main_and_shows_its_help(name, capsys):
    if name == 'segment':
        pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    module = importlib.import_module(bootmae_main.find_command(name))
    with pytest.raises(SystemExit) as stop:
        module.main(['--help'])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: bootmae {name} ')


def test_an_unknown_name_gets_the_nearest_three():
    with pytest.raises(SystemExit) as stop:
        bootmae_main.main(['tran'])
    line = stop.value.code
    assert line.startswith(
        "error: bootmae has no command 'tran': the nearest are train,"
    )
    assert line.count(',') == 2 and '\n' not in line


@pytest.mark.parametrize(
    ('started', 'name', 'hint'),
    [
        ('bootmae', 'data', 'bootmae data'),
        (str(ROOT / 'tools/train.py'), 'data', 'python tools/prepare_data.py'),
        ('tools/train.py', 'linear-probe', 'python tools/linear_probe.py'),
        ('tools/train.py', 'doctor', 'bootmae doctor'),  # has no file in tools/
        (str(ROOT / 'bootmae_plugin/.mim/tools/train.py'), 'test', 'bootmae test'),
    ],
)
def test_a_hint_names_a_command_that_works_here(started, name, hint, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [started])
    assert command(name) == hint


def test_configs_lists_names_that_can_be_given(capsys, monkeypatch, tmp_path):
    bootmae_main.main(['configs', 'finetune/deit-tiny_cifar10$'])
    name, text = capsys.readouterr().out.splitlines()
    assert name == 'benchmarks/finetune/deit-tiny_cifar10'
    assert text.strip().startswith('Full finetuning on CIFAR-10, 100 epochs')
    path = 'configs/benchmarks/finetune/deit-tiny_cifar10.py'
    monkeypatch.chdir(tmp_path)
    for given in (name, f'configs/{name}.py', 'finetune/deit-tiny_cifar10'):
        assert find_config(given).endswith(f'/{path}')
    with pytest.raises(SystemExit, match="error: no config has 'xyz' in its name"):
        bootmae_main.main(['configs', 'xyz'])


def test_doctor_finds_everything_here(capsys):
    bootmae_main.main(['doctor'])
    lines = capsys.readouterr().out.splitlines()
    words = [line.split()[0] for line in lines]
    assert {'bootmae_plugin', 'torch', 'mmpretrain', 'CPU', 'mmseg'} <= set(words)
    found = dict(line.split(maxsplit=1) for line in lines if ' ' in line)
    speeds = re.findall(r'float\d+ (\d+)', found['speed'].split(' GFLOP/s')[0])
    assert len(speeds) >= 2 and float(speeds[0]) > 0
    assert 'GiB' in found['memory']
    assert lines[-1] == 'ready to train'


@pytest.mark.parametrize(
    ('bfloat16', 'bf16', 'ending'),
    [
        (200.0, True, 'trainings use bfloat16'),
        (20.0, False, 'trainings use float32'),
        (20.0, True, '--cfg-options optim_wrapper.type=OptimWrapper'),
    ],
)
def test_doctor_advises_the_faster_precision(bfloat16, bf16, ending):
    said = precision(dict(float32=100.0, bfloat16=bfloat16), bf16)
    assert said.startswith(f'float32 100.0, bfloat16 {bfloat16:.1f} GFLOP/s; ')
    assert said.endswith(ending)


def test_doctor_names_what_is_missing(tmp_path):
    (tmp_path / 'mmengine.py').write_text("raise ModuleNotFoundError('no mmengine')")
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n{PROBE}'
    result = start('-c', code, 'doctor')
    assert 'error: nothing can be trained: bootmae_plugin needs mme' in result.stdout
