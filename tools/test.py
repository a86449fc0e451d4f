"""Test a checkpoint on the test set of the config that trained it."""

from _entry import run_command

if __name__ == '__main__':
    run_command('test')
