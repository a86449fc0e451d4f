"""Write one HTML file about one or several runs."""

from _entry import run_command

if __name__ == '__main__':
    run_command('report')
