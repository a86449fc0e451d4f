"""Read the config that a run has saved, without running it: a config is code."""

import ast
from pathlib import Path


class _Literals(ast.NodeTransformer):
    """Replace ``dict(...)``, ``nan`` and ``inf`` by what ``literal_eval`` accepts."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match self.generic_visit(node):
            case ast.Call(func=ast.Name(id='dict'), args=[], keywords=options):
                keys = [ast.Constant(option.arg) for option in options]
                return ast.Dict(keys, [option.value for option in options])
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(float(node.id)) if node.id in ('nan', 'inf') else node


def parse_config(text: str) -> dict | None:
    """Parse a config that a run saved, without running it; None if it is another text.

    A run may come from somebody else, and a config is code. This accepts literals and
    ``dict(...)``, which is all that a saved config has.
    """
    try:
        body = _Literals().visit(ast.parse(text)).body
        return {line.targets[0].id: ast.literal_eval(line.value) for line in body}
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError):
        return None


def read_config(path: Path) -> dict | None:
    """Read a file by :func:`parse_config`; None if it is another file."""
    try:
        return parse_config(path.read_text(encoding='utf-8'))
    except ValueError:  # not UTF-8
        return None
