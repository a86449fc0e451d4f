"""Show the results of tools/quickstart.sh: a table and pictures."""

from _entry import run_command

if __name__ == '__main__':
    run_command('quickstart_report')
