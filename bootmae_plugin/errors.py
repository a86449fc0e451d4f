"""The one exception for mistakes that a user can mend."""


class UserError(ValueError):
    """Bad input, told in one line: what was given, what was expected, what to do.

    The tools print only its message and exit with status 1 (``--debug`` shows the
    traceback); anything else that is raised is a bug and keeps its traceback.
    """


def check(condition: bool, message: str) -> None:
    """Raise :class:`UserError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
