"""Start one process per GPU, for dist_train.sh and dist_test.sh."""

from _entry import run_command

if __name__ == '__main__':
    run_command('launch')
