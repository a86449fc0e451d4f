"""The text of a run's config."""

import copy
import pickle

import pytest
from mmengine.config import Config
from yapf.yapflib import yapf_api

from bootmae_plugin.reliability.config_text import FormattedOnce
from tests.tiny import ROOT, run_tool, tiny_options


@pytest.fixture
def formatted(monkeypatch):
    """The texts that yapf lays out, which stay as they are."""
    texts = []

    def lay_out(text, **_):
        texts.append(text)
        return text, True

    monkeypatch.setattr(yapf_api, 'FormatCode', lay_out)
    return texts


def test_only_a_change_is_formatted(formatted):
    config = Config(dict(model=dict(type='A', depth=[1, 2])))
    own = FormattedOnce.of(config)
    assert own.pretty_text == own.dump() == config.pretty_text
    assert len(formatted) == 2  # of the config itself, too
    own.model.depth[0] = 3
    assert '3' in own.pretty_text and own.pretty_text == config.pretty_text


def test_copies_are_configs_of_their_own(formatted):
    own = FormattedOnce.of(Config(dict(rate=1), filename=None))
    own.dump()
    for other in (copy.deepcopy(own), copy.copy(own), pickle.loads(pickle.dumps(own))):
        other.rate = 2
        assert (own.pretty_text, other.pretty_text) == ('rate=1', 'rate=2')


def test_a_training_formats_its_config_once(tmp_path, formatted):
    run_tool(
        'train.py', ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py',
        '--work-dir', tmp_path, '--cfg-options', *tiny_options(),
        'train_cfg.max_epochs=3', 'default_hooks.bootstrap.num_stages=1',
    )  # fmt: skip
    assert len([*tmp_path.glob('epoch_*.pth')]) > 1
    assert len(formatted) == 1
