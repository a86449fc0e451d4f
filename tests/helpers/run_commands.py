"""Run commands of bootmae one after another in this process, which imports once.

    python run_commands.py '[["LOG", "COMMAND", "ARG", ...], ...]'

It prints where the package was imported from, and the exit statuses as a JSON list.
"""

import contextlib
import json
import sys
import traceback

import bootmae_main


def run(log: str, *words: str) -> int:
    """Run ``bootmae WORDS`` with its output in ``log``; return the exit status."""
    with (
        open(log, 'w') as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        try:
            bootmae_main.main(list(words))
        except SystemExit as stop:
            print(stop.code)
            return int(stop.code not in (0, None))
        except BaseException:
            traceback.print_exc(file=file)
            return 1
    return 0


if __name__ == '__main__':
    statuses = [run(*job) for job in json.loads(sys.argv[1])]
    print(sys.modules['bootmae_plugin'].__file__)
    print(json.dumps(statuses))
