"""Reading a checkpoint: nothing is executed, damage is one line, URLs are cached."""

import functools
import http.server
import os
import pickle
import threading

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of


class Calls:
    """Unpickling it calls a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_nothing_is_unpickled(tmp_path):
    folder = tmp_path / 'made'
    torch.save(dict(extra=Calls(os.mkdir, str(folder))), tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'unpickled.*posix.mkdir') as refused:
        read_checkpoint(tmp_path / 'a.pth')
    assert '\n' not in str(refused.value)
    assert not folder.exists()
    read_checkpoint(tmp_path / 'a.pth', unpickle=True)  # asked for
    assert folder.exists()


def test_getattr_reaches_nothing_but_the_history(tmp_path):
    torch.save(dict(x=Calls(getattr, HistoryBuffer, '__init__')), tmp_path / 'a.pth')
    with pytest.raises(UserError, match="getattr of '__init__'"):
        read_checkpoint(tmp_path / 'a.pth')


def test_the_scalars_that_mmengine_logs_are_read(tmp_path):
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    content = dict(
        message_hub=dict(log_scalars=dict(loss=history)), number=np.float64(2.5)
    )
    torch.save(content, tmp_path / 'a.pth')
    read = read_checkpoint(tmp_path / 'a.pth')
    assert read['message_hub']['log_scalars']['loss'].mean() == 2
    assert read['number'] == 2.5


def test_the_names_of_numpy_1_and_2_are_read(tmp_path):
    """Upstream: numpy.core.multiarray became numpy._core.multiarray in numpy 2."""
    array, number = np.arange(3.0), np.float64(2.5)
    for new, x in (('_reconstruct', array), ('scalar', number)):
        function = x.__reduce__()[0]
        assert function.__qualname__ == new
        assert function.__module__ in (
            'numpy.core.multiarray',
            'numpy._core.multiarray',
        )
    path = tmp_path / 'a.pth'
    torch.save(
        dict(array=array, number=number),
        path,
        _use_new_zipfile_serialization=False,
    )
    other, own = b'numpy.core.multiarray', b'numpy._core.multiarray'
    content = path.read_bytes()
    other, own = (other, own) if own in content else (own, other)
    assert own in content
    for name in (own, other):
        path.write_bytes(content.replace(own, name))
        read = read_checkpoint(path)
        assert read['array'].tolist() == [0, 1, 2]
        assert read['number'] == 2.5


@pytest.mark.parametrize('size', [0, 10, 1000])
def test_a_truncated_file_is_one_line(tmp_path, size):
    path = tmp_path / 'a.pth'
    torch.save(torch.nn.Linear(50, 50).state_dict(), path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match='a.pth') as error:
        read_checkpoint(path)
    assert '\n' not in str(error.value)


def test_a_changed_byte_of_a_tensor_is_found(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(weight=torch.full((100,), 7.25)), path)
    content = bytearray(path.read_bytes())
    content[content.index(np.float32(7.25).tobytes() * 2)] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match='BadZipFile'):
        read_checkpoint(path)


def test_a_file_that_is_not_a_dict(tmp_path):
    torch.save([1, 2], tmp_path / 'a.pth')
    with pytest.raises(UserError, match='holds a list'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('key', [None, 'state_dict', 'model', 'model_state_dict'])
def test_the_weights_are_found(tmp_path, key):
    weights = torch.nn.Linear(2, 2).state_dict()
    content = weights if key is None else {key: weights, 'epoch': 3}
    torch.save(content, tmp_path / 'a.pth')
    read = state_dict_of(read_checkpoint(tmp_path / 'a.pth'))
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_safetensors(tmp_path):
    save_file(dict(weight=torch.arange(3.0)), tmp_path / 'a.safetensors')
    assert read_checkpoint(tmp_path / 'a.safetensors')['weight'].tolist() == [0, 1, 2]


def test_a_url_is_downloaded_once(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    (tmp_path / 'www').mkdir()
    torch.save(dict(weight=torch.ones(2)), tmp_path / 'www/a.pth')
    handler = functools.partial(QuietHandler, directory=str(tmp_path / 'www'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}'
        assert read_checkpoint(f'{url}/a.pth')['weight'].tolist() == [1, 1]
        with pytest.raises(UserError, match='b.pth cannot be downloaded'):
            read_checkpoint(f'{url}/b.pth')
        server.shutdown()
    read_checkpoint(f'{url}/a.pth')  # from the cache: the server is gone


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_pickle_names_the_functions_that_we_allow():
    """Upstream: mmengine's HistoryBuffer is pickled with getattr of its methods."""
    text = pickle.dumps(HistoryBuffer([1.0], [1]), protocol=2)
    assert b'getattr' in text
    assert all(name in text for name in (b'min', b'max', b'mean', b'current'))
