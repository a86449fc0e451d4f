"""Say on stderr what runs now."""

import sys

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn


class Progress:
    """A spinner with the elapsed time on a terminal; elsewhere one line for each step.

    Args:
        section: What is measured; it begins each line.
        terminal: Whether stderr is a terminal. Default: ask it.
    """

    def __init__(self, section: str, terminal: bool | None = None) -> None:
        self.section = section
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._quiet = False
        self._text = ''
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn('{task.description}'),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not self._terminal,
        )
        self._task = self._bar.add_task(section)

    @classmethod
    def silent(cls) -> 'Progress':
        """Return one that says nothing."""
        progress = cls('', terminal=False)
        progress._quiet = True
        return progress

    def __enter__(self) -> 'Progress':
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def step(self, text: str) -> None:
        """Say which step begins."""
        self._text = f'{self.section}: {text}'
        if self._terminal:
            self._bar.update(self._task, description=self._text)
        elif not self._quiet:
            print(self._text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Say which part of the step runs; on a terminal only."""
        if self._terminal:
            self._bar.update(self._task, description=f'{self._text}, {text}')
