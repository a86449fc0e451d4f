"""Runs tools one after another, each in a fork of a process with the framework loaded.

Every run starts without bootmae_plugin, as a process of its own would, but does not pay
seconds of imports.

    python run_tools.py '[["LOG", "TOOL.py", "ARG", ...], ...]'

Prints the exit statuses as a JSON list.
"""

import json
import os
import runpy
import sys
import traceback

import mmpretrain.apis
import mmpretrain.datasets
import mmpretrain.models  # noqa: F401


def run(log: str, tool: str, *args: str) -> int:
    """Exit status of ``python TOOL ARGS``, whose output goes to ``log``."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = [tool, *args]
        sys.path[0] = os.path.dirname(tool)
        runpy.run_path(tool, run_name='__main__')
        status = 0
    except SystemExit as stop:
        print(stop.code)
        status = int(stop.code not in (0, None))
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == '__main__':
    assert 'bootmae_plugin' not in sys.modules
    print(json.dumps([run(*job) for job in json.loads(sys.argv[1])]))
