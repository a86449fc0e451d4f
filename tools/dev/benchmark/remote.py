"""A contestant in a process of its own, whose memory no other contestant changes."""

import importlib
import multiprocessing
import os
from contextlib import contextmanager
from multiprocessing import forkserver


@contextmanager
def silent_output():
    """Send what this process and its new children print to nowhere."""
    kept = [os.dup(number) for number in (1, 2)]
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(silence, number)
        yield
    finally:
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(silence)


def start_server() -> multiprocessing.context.BaseContext:
    """Return a context whose processes start with the framework loaded, and silent."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['mmpretrain.models', 'bootmae_plugin'])
    with silent_output():  # the framework prints on import what it lacks
        forkserver.ensure_running()
    return context


class Remote:
    """An object in another process, called through a pipe.

    Args:
        module: Module of the class.
        name: Name of the class, or of a function that returns something to call.
        *args: Its arguments. It is built on the first call.
    """

    def __init__(self, module: str, name: str, *args) -> None:
        context = start_server()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, module, name, args), daemon=True
        )
        self._process.start()
        theirs.close()

    def __call__(self, *args):
        """Call the object there and return its answer, or raise what it raised."""
        self._pipe.send(args)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()


def _serve(pipe, module: str, name: str, args: tuple) -> None:
    # What libraries print is of no use here; errors go through the pipe.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    work = None
    while True:
        try:
            call = pipe.recv()
        except EOFError:  # the benchmark has ended
            return
        try:
            work = work or getattr(importlib.import_module(module), name)(*args)
            pipe.send(work(*call))
        except Exception as error:
            pipe.send(error)
