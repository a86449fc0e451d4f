"""Run tools one after another, each in a fork of a process that has the framework.

A tool starts without bootmae_plugin, as in a new process, and saves the seconds of
importing torch and mmpretrain.

    python run_tools.py '[["LOG", "TOOL.py", "ARG", ...], ...]'

The exit statuses are printed as a JSON list.
"""

import json
import os
import runpy
import sys
import traceback

# The libraries that the tools and the plugin import.
import matplotlib.pyplot  # noqa: F401
import mmpretrain.apis
import mmpretrain.datasets
import mmpretrain.engine
import mmpretrain.models  # noqa: F401
import timm  # noqa: F401


def run(log: str, tool: str, *args: str) -> int:
    """Run ``python TOOL ARGS`` with its output in ``log``; return the exit status."""
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
