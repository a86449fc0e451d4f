"""Measure the speed of this plugin beside its peers, on this machine."""

from _entry import run_command

if __name__ == '__main__':
    run_command('main', package='dev.benchmark')
