"""Hooks of mkdocs: pages from the repository's files, equations, configs, the notebook.

A page of ``docs/`` links to any file of the repository, as on a code host:
``[..](../bootmae_plugin/models/heads.py#PixelHead.target)``. Here the link leads to a
page of the site that shows the file, at that class or function.
"""

import ast
import html
import json
import os
import re
import sys
from functools import cache
from itertools import groupby
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
# Files outside of docs/ that are pages of their own.
PAGES = {
    'README.md': 'index.md',
    'CHANGELOG.md': 'changelog.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CODE_OF_CONDUCT.md': 'code-of-conduct.md',
    'SECURITY.md': 'security.md',
    'configs/README.md': 'config-names.md',
}
FENCE = re.compile(r'^(`{3,}|~{3,}).*?^\1`*\s*$|`[^`\n]+`', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]+)?(?=\))')
LANGUAGES = {'.py': 'python', '.sh': 'bash', '.yml': 'yaml', '.cfg': 'ini'}


def links(text: str) -> list[tuple[str, str]]:
    """Return the paths and anchors of a page's links to files, outside of code."""
    return [(m[1], m[2] or '') for m in LINK.finditer(FENCE.sub(' ', text))]


def resolve(origin: str, path: str) -> str:
    """Return the repository path of a link; ``origin`` is the file that has it."""
    return os.path.normpath(PurePosixPath(origin).parent / path).replace(os.sep, '/')


def site_path(path: str) -> str:
    """Return the path of a repository file in the site's source."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith('docs/'):
        return re.sub(r'\.ipynb$', '.md', path.removeprefix('docs/'))
    return f'source/{path}.md'


@cache
def definitions(path: str) -> dict[str, int]:
    """Return the line of every class, function and method of a Python file by name."""
    found = {}

    def visit(body: list, prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[prefix + node.name] = node.lineno
            if isinstance(node, ast.ClassDef):
                visit(node.body, f'{prefix}{node.name}.')

    visit(ast.parse((ROOT / path).read_text(encoding='utf-8')).body, '')
    return found


def site_links(text: str, origin: str) -> str:
    """Return Markdown whose links to files lead to the pages of the site."""
    here = PurePosixPath(site_path(origin)).parent

    def replace(match: re.Match) -> str:
        path, anchor = resolve(origin, match[1]), match[2] or ''
        if path.endswith('.py') and anchor:
            anchor = f'#__codelineno-0-{definitions(path)[anchor[1:]]}'
        return os.path.relpath(site_path(path), here).replace(os.sep, '/') + anchor

    pieces, end = [], 0
    for code in FENCE.finditer(text):
        pieces += [LINK.sub(replace, text[end : code.start()]), code[0]]
        end = code.end()
    # Code in the text of a link: the link's end is in the next piece.
    return ''.join([*pieces, LINK.sub(replace, text[end:])])


def source_page(path: str) -> str:
    """Return a page that shows a file, or lists a folder."""
    if (ROOT / path).is_dir():
        names = sorted(p.relative_to(ROOT / path) for p in (ROOT / path).rglob('*.*'))
        return '\n'.join([f'# {path}/\n', *(f'* `{n.as_posix()}`' for n in names)])
    text = (ROOT / path).read_text(encoding='utf-8').rstrip()
    language = LANGUAGES.get(PurePosixPath(path).suffix, 'text')
    return f'# {path}\n\n~~~~~~{language}\n{text}\n~~~~~~\n'


def header_page(path: Path) -> str:
    """Return the comment that opens a config: prose, and what is indented as it is."""
    comment = re.match(r'(#.*\n)+', path.read_text(encoding='utf-8'))[0]
    comment = re.sub('^# ?', '', comment, flags=re.MULTILINE).strip()
    parts = []
    for indented, lines in groupby(comment.split('\n'), lambda line: line[:2] == '  '):
        text = '\n'.join(lines)
        if indented:
            parts.append(f'~~~~text\n{text}\n~~~~')
        elif text.strip():
            text = re.sub(r'([*_<$`])', r'\\\1', text)
            label = r'^(Cost|Result|Cost and result):'
            parts.append(re.sub(label, r'\n**\1:**', text, flags=re.MULTILINE))
    return '\n\n'.join(parts) + '\n'


def configs_page(folder: str) -> str:
    """Return the reference of the configs below a folder, from their headers."""
    sys.path.insert(0, str(ROOT))
    import bootmae_main

    bootmae_main.registers_later = True  # import the package without torch
    from bootmae_plugin.configuration.names import config_files

    parts = []
    paths = [p.relative_to(ROOT).as_posix() for p in config_files()]
    for path in paths:
        if not path.startswith(f'configs/{folder}/') or path.endswith('_random.py'):
            continue
        name = path.removeprefix('configs/').removesuffix('.py')
        parts.append(f'### [{name}](../{path})\n\n{header_page(ROOT / path)}')
        if path.replace('.py', '_random.py') in paths:
            parts.append(f'Baseline from random weights: `{name}_random`.\n')
    return '\n'.join(parts)


def notebook_page(path: Path) -> str:
    """Return a notebook as Markdown, with its saved outputs."""
    parts = []
    for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown':
            parts.append(source)
            continue
        parts.append(f'```python\n{source}\n```')
        for output in cell['outputs']:
            data = output.get('data', {'text/plain': output.get('text', '')})
            if image := data.get('image/png'):
                image = ''.join(image).replace('\n', '')
                parts.append(f'![picture](data:image/png;base64,{image})')
            else:
                parts.append(f'```text\n{"".join(data["text/plain"]).rstrip()}\n```')
    return '\n\n'.join(parts) + '\n'


def expand(text: str) -> str:
    """Fill in the generated parts of a page: ``<!-- generated: configs/FOLDER -->``."""
    marker = r'<!-- generated: configs/(\S+) -->'
    return re.sub(marker, lambda match: configs_page(match[1]), text)


def to_mathml(page: str) -> str:
    """Replace the equations of a page, which arithmatex has marked, by MathML."""
    from latex2mathml.converter import convert

    def replace(match: re.Match) -> str:
        tex = html.unescape(match[2])
        if match[1] == 'span':
            return convert(tex)
        # On a narrow screen a long equation scrolls by itself.
        return f'<div style="overflow: auto">{convert(tex, display="block")}</div>'

    marked = r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    return re.sub(marked, replace, page, flags=re.DOTALL)


# Called by mkdocs.


def on_files(files, config):
    """Add the pages that are made from other files of the repository."""
    from mkdocs.structure.files import File

    made = {path: (ROOT / path).read_text(encoding='utf-8') for path in PAGES}
    for file in list(files):
        if file.src_uri.endswith('.ipynb'):
            path = f'docs/{file.src_uri}'
            made[path] = notebook_page(ROOT / path)
    texts = {f'docs/{f.src_uri}': f.content_string for f in files.documentation_pages()}
    texts = {path: expand(text) for path, text in {**texts, **made}.items()}
    for origin, text in texts.items():
        for link, _ in links(text):
            path = resolve(origin, link)
            if site_path(path).startswith('source/'):
                made[path] = source_page(path)
    for path, text in made.items():
        target = site_path(path)
        if not path.endswith('.md') and target.startswith('source/'):
            page = text
        else:
            page = site_links(text, path)
        files.append(File.generated(config, target, content=page))
    return files


def on_page_markdown(markdown, page, **_):
    """Adapt the links of a page of docs/."""
    if page.file.generated_by:
        return markdown
    return site_links(expand(markdown), f'docs/{page.file.src_uri}')


def on_page_content(html, **_):
    """Render the equations."""
    return to_mathml(html)
