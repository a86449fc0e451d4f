"""Kill runs, break files, give malicious ones; nothing may be lost or executed."""

from _entry import run_command

if __name__ == '__main__':
    run_command('main', package='dev.torture')
