"""The words of tools/prepare_data.py, and the next command that it prints."""

import shlex
from pathlib import Path

import pytest

from bootmae_plugin.cli.prepare_data import NAMES, next_command, parse_args
from bootmae_plugin.configuration.configs import load_config
from tests.tiny import run_tool


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['{photos}'], 'is a path, expected the name of a data set: for your own '
         'images, bootmae data folder --from'),
        (['cifar100'], 'there is no data set cifar100: give one of cifar10, '),
        (['camvid'], 'camvid is not downloaded: give your copy with --from PATH'),
        (['folder', '--from', '{photos}/missing'], 'missing'),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(words, expected, tmp_path):
    photos = tmp_path / 'photos'
    photos.mkdir()
    with pytest.raises(SystemExit) as stop:
        run_tool('prepare_data.py', *(w.format(photos=photos) for w in words))
    line = stop.value.code
    assert line.startswith('error: ')
    assert expected in line and '\n' not in line


def test_every_name_is_a_data_set():
    assert [parse_args([name]).name for name in NAMES] == [*NAMES]


def train_loader(command: str):
    """The data loader of the config and options of a command."""
    words = shlex.split(command)
    assert words[:2] == ['bootmae', 'train']
    options = dict(word.split('=', 1) for word in words[4:])
    return load_config(words[2], options).train_dataloader


@pytest.mark.parametrize('name', ['cifar10', 'fashion-mnist', 'camvid', 'digit-scenes'])
@pytest.mark.parametrize('moved', [False, True])
def test_the_next_command_reads_what_was_prepared(name, moved):
    if name == 'digit-scenes':
        pytest.importorskip('mmseg')
    out = Path('my data') / name if moved else Path('data') / name
    args = parse_args([name, '--out', str(out)])
    dataset = train_loader(next_command(args)).dataset
    root = dataset.get('source', dataset).data_root
    assert root == (f'{out}/img_dir/train' if name == 'camvid' else str(out))


def test_the_next_command_for_a_folder():
    words = ['folder', '--from', 'photos', '--out', 'lists', '--labels']
    source = train_loader(next_command(parse_args(words))).dataset.source
    assert source.data_root == 'photos'
    assert source.ann_file == 'lists/train.txt'
    assert source.with_label == 'True'  # DictAction converts it
