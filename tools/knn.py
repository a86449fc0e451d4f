"""Evaluate a pretrained encoder by k nearest neighbors."""

from _entry import run_command

if __name__ == '__main__':
    run_command('knn')
