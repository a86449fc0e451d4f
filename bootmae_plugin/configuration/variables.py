"""Override the variables of a config, such as ``data_root``, in all their uses."""

import ast
import importlib.util
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from mmengine.config import Config

BASE = '_base_'


def load_with_variables(path: str | os.PathLike, variables: dict[str, Any]) -> Config:
    """Load a config as if its files assigned other values to some variables.

    mmengine evaluates a config file by file, so setting a variable of the loaded config
    (or in a config that inherits it) does not reach the settings made from it. This
    writes a copy of the config and its bases with an assignment added after each
    ``name = ...``, and loads the copy.

    Args:
        path: Python config file.
        variables: Values by name, or by dotted key for a part of a variable. A name
            that no file assigns at its top level has no effect.

    Returns:
        The config, with ``path`` as its file name.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = _Copies(Path(folder), variables)
        copy = copies.copy(Path(path).expanduser().absolute())
        if copy is None:
            return Config.fromfile(path)
        cfg = Config.fromfile(copy)
    return Config(cfg.to_dict(), filename=str(path), env_variables=cfg.env_variables)


class _Copies:
    """Copies of config files that assign other values to variables.

    Args:
        folder: Where to write them.
        variables: Values by name.
    """

    def __init__(self, folder: Path, variables: dict[str, Any]) -> None:
        self.folder = folder
        self.variables = variables
        self.made: dict[Path, Path | None] = {}

    def copy(self, path: Path) -> Path | None:
        """Copy a file and its bases; None where no variable is in them."""
        if path not in self.made:
            self.made[path] = self._copy(path) if path.suffix == '.py' else None
        return self.made[path]

    def _copy(self, path: Path) -> Path | None:
        text = path.read_text(encoding='utf-8')
        # mmengine would insert the folder of the copy.
        text = re.sub(r'\{\{\s*fileDirname\s*\}\}', path.parent.as_posix(), text)
        tree, body, changed = ast.parse(text), [], False
        for node in tree.body:
            body.append(node)
            for name in _assigned(node):
                if name == BASE:
                    bases, base_changed = self._copy_bases(node.value, path)
                    node.value, changed = _literal(bases), changed or base_changed
                for key, value in self.variables.items():
                    if name == key.partition('.')[0]:
                        body.append(_assignment(key, value))
                        changed = True
        if not changed:
            return None
        tree.body = body
        folder = self.folder / str(len(self.made))
        folder.mkdir()
        copy = folder / path.name  # mmengine may insert the name, too
        copy.write_text(ast.unparse(tree), encoding='utf-8')
        return copy

    def _copy_bases(self, value: ast.expr, path: Path) -> tuple[list[str], bool]:
        """Return references to the bases' copies, and whether there is any."""
        # mmengine evaluates it in the same way.
        bases = eval(compile(ast.Expression(value), str(path), 'eval'))
        bases = [bases] if isinstance(bases, str) else list(bases)
        result, changed = [], False
        for base in bases:
            scope, separator, _ = base.rpartition('::')
            file = find_base(base, path)
            copy = self.copy(file)
            changed |= copy is not None
            # mmengine joins the path to the package's folder, which an absolute path
            # replaces; the classes keep the package's scope.
            if copy is not None:
                base = f'{scope}{separator}{copy.as_posix()}'
            elif not separator:
                base = str(file)
            result.append(base)
        return result, changed


def find_base(base: str, path: Path) -> Path:
    """Return the file that an entry of ``_base_`` in the file ``path`` means."""
    package, separator, name = base.rpartition('::')
    if not separator:
        return path.parent / base
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent / '.mim' / 'configs' / name


def _assigned(node: ast.stmt) -> list[str]:
    """Names that a statement assigns, as in ``a = b = 1``."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    else:
        targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _literal(value: Any) -> ast.expr:
    return ast.parse(repr(value), mode='eval').body


def _assignment(key: str, value: Any) -> ast.stmt:
    """Return ``a['b'][0] = value`` for 'a.b.0', which skips an ``a`` without it."""
    name, *parts = key.split('.')
    indices = [int(part) if part.isdigit() else part for part in parts]
    target = name + ''.join(f'[{index!r}]' for index in indices)
    code = f'{target} = {value!r}'
    if parts:
        code = f'try:\n    {code}\nexcept (IndexError, KeyError, TypeError):\n    pass'
    return ast.parse(code).body[0]
