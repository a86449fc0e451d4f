"""Train from a config: pretraining, linear evaluation, finetuning, segmentation."""

from _entry import run_command

if __name__ == '__main__':
    run_command('train')
