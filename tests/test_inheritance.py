"""Another team uses the installed wheel: inherit configs, add modules, run tools."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import timm
import torch
import yaml
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file

from tests.config_files import OTHERS
from tests.segmentation.seg_data import write_scenes
from tests.tiny import ROOT

HELPERS = ROOT / 'tests/helpers'
STOCK = Path(mmpretrain.__file__).parent / '.mim/tools/train.py'
NOT_SHIPPED = shutil.ignore_patterns(
    '.*_cache', '.git', '.venv*', 'build', 'data', 'dist', 'work_dirs', '*.egg-info'
)


def shipped(folder: Path) -> dict[str, bytes]:
    """Name -> content of the files of a folder that a wheel has to contain."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def build(source: Path, out: Path, *kinds: str) -> Path:
    """Build distributions of a source tree; return the folder with the results."""
    pytest.importorskip('build')
    result = subprocess.run(
        [sys.executable, '-m', 'build', '--no-isolation', *kinds, '-o', out, source],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return out


@pytest.fixture(scope='module')
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheel of the source tree, and that of its source distribution."""
    tmp = tmp_path_factory.mktemp('build')
    # A copy: a build leaves folders behind from which later builds would take files.
    tree = tmp / 'tree'
    shutil.copytree(ROOT, tree, symlinks=True, ignore=NOT_SHIPPED)
    (tree / 'tools/__pycache__').mkdir(exist_ok=True)
    (tree / 'tools/__pycache__/x.pyc').touch()
    # Without a kind: the source distribution, and the wheel that it gives.
    folders = dict(sdist=build(tree, tmp / 'both'))
    folders['source tree'] = build(tree, tmp / 'wheel', '--wheel')
    return {origin: next(out.glob('*.whl')) for origin, out in folders.items()}


@pytest.mark.parametrize('origin', ['source tree', 'sdist'])
def test_wheel_is_complete(wheels, origin, tmp_path):
    with zipfile.ZipFile(wheels[origin]) as wheel:
        wheel.extractall(tmp_path)
    package = tmp_path / 'bootmae_plugin'
    assert shipped(package / '.mim/configs') == shipped(ROOT / 'configs')
    tools = shipped(ROOT / 'tools')
    measure_the_project = {name for name in tools if name.startswith('dev/')}
    measure_the_project |= {'benchmark.py', 'release.py', 'study.py', 'torture.py'}
    assert {'dev/__init__.py', 'dev/torture/runs.py'} < measure_the_project
    assert shipped(package / '.mim/tools') == {
        name: tools[name] for name in tools.keys() - measure_the_project
    }
    weights = shipped(ROOT / 'weights')
    large = {name for name in weights if name.startswith('large/')}
    assert shipped(package / '.mim/weights') == {
        name: weights[name] for name in weights.keys() - large
    }
    index = package / '.mim/model-index.yml'
    assert index.read_bytes() == (ROOT / 'model-index.yml').read_bytes()
    assert sorted(package.rglob('*.pyc')) == []
    assert {p.relative_to(package) for p in package.rglob('*.py')} >= {
        p.relative_to(ROOT / 'bootmae_plugin')
        for p in (ROOT / 'bootmae_plugin').rglob('*.py')
        if '.mim' not in p.parts
    }
    assert (package / 'py.typed').is_file()
    bundled = 'datasets/fashion-mnist-12k'
    assert shipped(package / bundled) == shipped(ROOT / 'bootmae_plugin' / bundled)
    assert len(list(tmp_path.glob('bootmae_plugin-*.dist-info/licenses/LICENSE'))) == 1
    assert {p.name.split('-')[0] for p in tmp_path.iterdir()} == {
        'bootmae_plugin',
        'bootmae_main.py',
    }
    (entry_points,) = tmp_path.glob('*.dist-info/entry_points.txt')
    assert 'bootmae = bootmae_main:main' in entry_points.read_text().splitlines()


def test_the_source_distribution_has_what_the_tests_need(wheels):
    (archive,) = wheels['sdist'].parent.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        names = {name.partition('/')[2] for name in tar.getnames()}
    folders = ('tests', 'tools', 'configs', 'docs', 'examples', 'bootmae_plugin')
    needed = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob('*')
        if path.suffix in ('.py', '.sh', '.md', '.yml', '.typed')
    }
    bundled = ROOT / 'bootmae_plugin/datasets/fashion-mnist-12k'
    needed |= {path.relative_to(ROOT).as_posix() for path in bundled.iterdir()}
    needed |= {'README.md', 'ruff.toml', 'bootmae_main.py', 'setup.cfg', 'LICENSE'}
    assert needed - names == set()


@pytest.fixture(scope='module')
def team(wheels, tmp_path_factory) -> Path:
    """Another team's folder with the wheel installed in it, without the repository."""
    folder = tmp_path_factory.mktemp('team')
    subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index',
         '--target', folder / 'site', wheels['source tree']],
        check=True,
    )  # fmt: skip
    shutil.copytree(HELPERS / 'otherteam', folder, dirs_exist_ok=True)
    (folder / 'images').mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f'images/{i}.png')
    return folder


def environment(team: Path) -> dict[str, str]:
    path = os.pathsep.join([str(team / 'site'), str(team)])
    return dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1', PYTHON=sys.executable)


# Name of a config, which is the name of its run, too -> the tool that trains it.
RUNS = {
    'tiny': 'stock',
    'scope': 'ours',
    'scope_pipeline': 'ours',
    'dotted': 'stock',
    'modules': 'stock',
    'imports': 'stock',
}


@pytest.fixture(scope='module')
def runs(team) -> dict[str, str]:
    """Train all of :data:`RUNS`; return the end of the log of those that failed."""
    tools = {'ours': team / 'site/bootmae_plugin/.mim/tools/train.py', 'stock': STOCK}
    jobs = {name: [tools[tool], f'configs/{name}.py'] for name, tool in RUNS.items()}
    # The config that a training has saved can be trained, too. It has no base, and the
    # imports of configs/imports.py, so it does not import bootmae_plugin.
    jobs['again'] = [tools['ours'], 'runs/imports/imports.py']
    words = [
        [f'{name}.log', *map(str, job), '--work-dir', f'runs/{name}']
        for name, job in jobs.items()
    ]
    result = subprocess.run(
        [sys.executable, HELPERS / 'run_tools.py', json.dumps(words)],
        cwd=team,
        env=environment(team),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    statuses = json.loads(result.stdout.splitlines()[-1])
    return {
        name: (team / f'{name}.log').read_text()[-3000:]
        for name, status in zip(jobs, statuses, strict=True)
        if status != 0
    }


def outcome(work_dir: Path) -> tuple[Config, dict]:
    """Return the config as it was used, and the last checkpoint."""
    (config,) = work_dir.glob('*.py')
    checkpoint = torch.load(work_dir / 'epoch_2.pth', weights_only=False)
    assert int(checkpoint['state_dict']['stage_number']) == 2
    return Config.fromfile(config, import_custom_modules=False), checkpoint


@pytest.fixture
def trained(team, runs):
    """Function from the name of a run to its outcome."""

    def of(name: str) -> tuple[Config, dict]:
        assert name not in runs, runs[name]
        return outcome(team / 'runs' / name)

    return of


def test_inherit_by_path_with_mmpretrains_own_tool(team, trained):
    config, checkpoint = trained('tiny')
    assert config.plugin == str(team / 'site/bootmae_plugin/__init__.py')
    weights = checkpoint['state_dict']
    assert weights['backbone.pos_embed'].shape[-1] == 24
    assert weights['head.feature.pred.weight'].shape == (24, 24)
    teacher = 'target_generator.encoder.blocks.1.mlp.fc1.weight'
    student = teacher.replace('target_generator.encoder', 'backbone')
    assert not torch.equal(weights[teacher], weights[student])


def test_inherit_by_scope_with_our_tool(trained):
    config, checkpoint = trained('scope')
    assert config.model._scope_ == 'bootmae_plugin'
    weights = checkpoint['state_dict']
    assert weights['head.feature.pred.weight'].shape == (24, 24)


def test_inherit_by_scope_with_a_standard_pipeline_and_own_modules(trained):
    config, checkpoint = trained('scope_pipeline')
    assert config.train_dataloader.dataset._scope_ == 'bootmae_plugin'
    # 8 images in batches of 4, 2 epochs of which the second has a teacher.
    assert int(checkpoint['state_dict']['masking.calls']) == 4
    assert int(checkpoint['state_dict']['target_generator.calls']) == 2


def test_class_by_dotted_path(trained):
    config, checkpoint = trained('dotted')
    assert config.model.backbone.type == 'bootmae_plugin.models.MaskedViT'
    weights = checkpoint['state_dict']
    assert 'backbone.cls_token' in weights
    assert 'backbone.dist_token' not in weights  # which the inherited MaskedDeiT has


def test_own_teacher_and_mask_by_config_alone(trained):
    _, checkpoint = trained('modules')
    weights = checkpoint['state_dict']
    assert int(weights['masking.calls']) == 4
    assert int(weights['target_generator.calls']) == 2
    assert weights['head.feature.pred.weight'].shape == (3, 24)  # three colours


def test_own_imports_replace_the_inherited_ones(trained):
    config, checkpoint = trained('imports')
    assert config.custom_imports.imports == ['otherteam.hooks']
    assert checkpoint['signed_by'] == 'otherteam'


def test_our_tool_trains_what_does_not_import_the_plugin(trained):
    _, checkpoint = trained('again')
    assert checkpoint['signed_by'] == 'otherteam'


def test_launcher_of_the_wheel_from_any_folder(team):
    launcher = team / 'site/bootmae_plugin/.mim/tools/dist_train.sh'
    result = subprocess.run(
        ['bash', launcher, 'configs/tiny.py', '2', '--work-dir', 'runs/two processes',
         '--cfg-options', 'train_dataloader.batch_size=2'],
        cwd=team,
        env=environment(team),
        capture_output=True,
        text=True,
        timeout=900,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    _, checkpoint = outcome(team / 'runs/two processes')
    assert checkpoint['meta']['iter'] == 4  # 8 images, 2 processes with 2 each


# --- from photos to a deployed model, with the wheel alone

PATH = {
    'pretrain': 'pretrain photos --from timm:tiny.safetensors --out runs/a --size 16 '
    '--epochs 4 --batch-size 8',
    'probe': 'probe runs/a photos --epochs 1',
    'finetune': 'finetune runs/a photos --out runs/b --epochs 1 --batch-size 8',
    'segment': 'segment runs/a scenes --out runs/c --epochs 1 --batch-size 4',
    'predict': 'predict runs/b new --out predictions.csv',
    'maps': 'predict runs/c scenes/img_dir --out maps',
    'export': 'export runs/b model.onnx',
    'deployed': 'predict model.onnx new --out deployed.csv',
    'report': 'report runs/a runs/b --images 8',
}


@pytest.fixture(scope='module')
def fresh(wheels, tmp_path_factory) -> Path:
    """The Python of a new environment that has the wheel, beside a folder of photos."""
    folder = tmp_path_factory.mktemp('fresh')
    venv.create(folder / 'venv', with_pip=False)
    python = folder / 'venv/bin/python'
    subprocess.run(
        [sys.executable, '-m', 'pip', '--python', python, 'install', '--quiet',
         '--no-deps', '--no-index', wheels['source tree']],
        check=True,
    )  # fmt: skip
    # The other packages are those of this environment.
    (site,) = (folder / 'venv/lib').glob('python3*/site-packages')
    packages = Path(torch.__file__).parents[1]
    # A path file in there is not read, such as that of setuptools, which has distutils,
    # which mmengine imports and Python has no more from 3.12 on.
    hook = "import importlib.util as u; u.find_spec('_distutils_hack') and "
    hook += "__import__('_distutils_hack').add_shim()"
    (site / 'others.pth').write_text(f'{packages}\n{hook}\n')
    for name in ['photos/cat', 'photos/dog', 'new']:
        (folder / 'empty' / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.random.default_rng(i).integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f'empty/{name}/{i}.png')
    tiny = timm.create_model(
        'deit_tiny_distilled_patch16_224', depth=1, embed_dim=24, num_heads=2
    )
    save_file(tiny.state_dict(), folder / 'empty/tiny.safetensors')
    scenes = {'img_dir': 'ann_dir'}
    write_scenes(folder / 'empty/scenes', scenes, 5, (20, 24), labels=2)
    return python


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table, encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_from_photos_to_a_deployed_model(fresh):
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    pytest.importorskip('onnxruntime')
    folder = fresh.parents[2] / 'empty'
    env = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    env['OMP_NUM_THREADS'] = '1'
    jobs = [[f'{name}.log', *words.split()] for name, words in PATH.items()]

    def start(*words):
        result = subprocess.run(
            words, cwd=folder, env=env, capture_output=True, text=True, timeout=900
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout.splitlines()

    assert start(fresh.with_name('bootmae'), '-h')[0] == 'usage: bootmae COMMAND ...'
    *_, place, statuses = start(fresh, HELPERS / 'run_commands.py', json.dumps(jobs))
    assert Path(place).is_relative_to(fresh.parents[1])
    failed = dict(zip(PATH, json.loads(statuses), strict=True))
    for name, status in failed.items():
        assert status == 0, (name, (folder / f'{name}.log').read_text()[-3000:])

    assert 'stage 4/4  epoch 4/4' in (folder / 'pretrain.log').read_text()
    assert (folder / 'runs/a/probe/probe.json').is_file()
    tables = [rows_of(folder / name) for name in ('predictions.csv', 'deployed.csv')]
    assert [Path(row['path']).name for row in tables[0]] == [
        f'{i}.png' for i in range(8)
    ]
    for ours, deployed in zip(*tables, strict=True):
        assert ours['label'] == deployed['label'] in ('cat', 'dog')
        difference = float(ours['probability']) - float(deployed['probability'])
        assert abs(difference) < 1e-3
    for i in range(5):
        with Image.open(folder / f'maps/{i}.png') as labels:
            assert labels.size == (24, 20)
    html = (folder / 'report.html').read_text()
    assert 'runs/a' in html and 'runs/b' in html


# --- launchers, model index, framework check: no wheel needed


@pytest.mark.parametrize(
    'command',
    ['dist_train.sh config.py', 'dist_train.sh config.py two', 'dist_train.sh c.py 0']
    + ['dist_test.sh config.py weights.pth', 'slurm_train.sh partition job config.py'],
)
def test_launchers_print_their_usage(command):
    tool, *args = command.split()
    result = subprocess.run(
        ['bash', ROOT / 'tools' / tool, *args], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr.startswith('usage: bash ')
    assert result.stderr.count('\n') == 1
    assert ' '.join(args) in result.stderr


def test_slurm_passes_every_argument_on(tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    result = subprocess.run(
        ['bash', ROOT / 'tools/slurm_train.sh', 'gpu', 'my job', 'c.py', 'my dir',
         '--cfg-options', 'a="[1, 2]"'],
        env=dict(os.environ, PATH=path, GPUS='4', SRUN_ARGS='--time=1 -N 2'),
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    words = result.stdout.splitlines()
    assert {'--job-name=my job', '--ntasks=4', '--gres=gpu:4', '--time=1'} <= set(words)
    start = words.index(str(ROOT / 'tools/train.py'))
    assert words[start + 1 :] == [
        'c.py', '--work-dir', 'my dir', '--launcher', 'slurm', '--cfg-options',
        'a="[1, 2]"',
    ]  # fmt: skip


def test_dist_test_passes_every_argument_on(tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    result = subprocess.run(
        ['bash', ROOT / 'tools/dist_test.sh', 'c.py', 'my weights.pth', '2', '--out',
         'a b.pkl'],
        env=dict(os.environ, PYTHON=str(python)),
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    words = result.stdout.splitlines()
    assert words[0] == str(ROOT / 'tools/_launch.py')
    assert words[words.index('--nproc-per-node=2') + 1 :] == [
        str(ROOT / 'tools/test.py'), 'c.py', 'my weights.pth', '--launcher', 'pytorch',
        '--out', 'a b.pkl',
    ]  # fmt: skip


def test_every_config_is_in_the_model_index():
    index = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    found = {
        str(path.relative_to(ROOT))
        for folder in ('selfsup', 'benchmarks')
        for path in (ROOT / 'configs' / folder).rglob('*.py')
        # The others are mmsegmentation's and mmdetection's, not mmpretrain's.
        if not {*path.parts} & {*OTHERS}
    }
    indexed = {
        # The config that weights came from has the name of the one that was trained.
        m['Config'].replace('weights/', 'configs/selfsup/')
        for m in index['Models']
    }
    assert indexed == found


def test_mmpretrain_knows_our_models():
    from mmpretrain import get_model, list_models

    import bootmae_plugin

    assert 'bootmae_deit-tiny_digits' in list_models('boot')
    model = get_model('bootmae_deit-tiny_digits')
    assert type(model) is bootmae_plugin.models.BootMAE


def test_config_path_names_the_nearest_configs():
    import bootmae_plugin

    assert Path(bootmae_plugin.config_path('_base_/default_runtime.py')).is_file()
    with pytest.raises(bootmae_plugin.UserError, match='selfsup/mae_deit-tiny_cifar10'):
        bootmae_plugin.config_path('selfsup/mae_deit-tiny_cifar.py')


NEW = {'mmengine': '0.10.12', 'mmcv': '2.3.6', 'mmpretrain': '1.3.6'}


@pytest.mark.parametrize(
    ('modules', 'expected'),
    [
        (
            dict(NEW, mmengine="raise ModuleNotFoundError('No module of that name')"),
            'needs mmengine>=0.10.5, which cannot be imported (No module of that name)'
            ': pip install onedl-mmengine onedl-mmcv onedl-mmpretrain',
        ),
        (
            dict(NEW, mmpretrain='1.0.0rc8'),
            'needs mmpretrain>=1.2.0, but 1.0.0rc8 is installed: '
            'pip install onedl-mmengine onedl-mmcv onedl-mmpretrain',
        ),
        (
            dict(NEW, mmcv="raise ImportError('libGL.so.1: cannot open')"),
            'needs mmcv>=2.0.0, which cannot be imported (libGL.so.1: cannot open): '
            'pip uninstall opencv-python, then pip install opencv-python-headless',
        ),
        # New enough: what fails is the first use of the empty module.
        (dict(NEW, mmengine='0.10.8rc1'), "No module named 'mmengine.config'"),
    ],
    ids=['missing', 'too old', 'no libGL', 'pre-release'],
)
def test_framework_missing_or_too_old_is_one_sentence(tmp_path, modules, expected):
    for name, content in modules.items():
        if content[0].isdigit():
            content = f'__version__ = {content!r}'
        (tmp_path / f'{name}.py').write_text(content)
    result = subprocess.run(
        [sys.executable, '-c', 'import bootmae_plugin'],
        env=dict(os.environ, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}'),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(('ImportError', 'ModuleNotFoundError')), last
    assert expected in last
