"""The documentation site: its build, links, equations and generated pages."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from dev import docs_site
from tests.config_files import NAMED
from tests.tiny import ROOT

PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted(ROOT.glob('*.md')) + sorted((ROOT / 'docs').glob('*.md'))
] + ['configs/README.md']


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding='utf-8')


def heading_anchors(text: str) -> set[str]:
    """Anchors that a code host gives to the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', text, re.MULTILINE)
    return {
        re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')
        for heading in headings
    }


@pytest.mark.parametrize('page', PAGES)
def test_every_link_leads_to_a_file_and_a_part_of_it(page):
    text = read(page)
    for path, anchor in docs_site.links(text):
        target = docs_site.resolve(page, path)
        assert (ROOT / target).exists(), path
        if anchor and target.endswith('.py'):
            assert anchor[1:] in docs_site.definitions(target), path + anchor
        elif anchor:
            assert anchor[1:] in heading_anchors(read(target)), path + anchor
    for anchor in re.findall(r'\]\(#([^)]*)\)', docs_site.FENCE.sub(' ', text)):
        assert anchor in heading_anchors(text), anchor


def test_every_equation_of_the_method_names_its_function():
    sections = re.split(r'^## ', read('docs/method.md'), flags=re.MULTILINE)
    with_equations = [section for section in sections if '$$' in section]
    assert len(with_equations) >= 7
    for section in with_equations:
        functions = re.findall(r'\.py#([\w.]+)\)', section)
        # One function computes at most two of the displayed equations.
        assert 2 * len(functions) >= section.count('$$') / 2, section[:40]


def test_the_link_of_a_function_leads_to_its_line():
    text = '[`f`](../bootmae_plugin/errors.py#check) and `[code](stays.py)`'
    lines = read('bootmae_plugin/errors.py').splitlines()
    (line,) = (n for n, t in enumerate(lines, 1) if t.startswith('def check('))
    assert docs_site.site_links(text, 'docs/method.md') == (
        f'[`f`](source/bootmae_plugin/errors.py.md#__codelineno-0-{line}) '
        'and `[code](stays.py)`'
    )


def test_the_reference_has_every_config_with_its_cost_and_result():
    text = docs_site.expand(read('docs/configs.md'))
    sections = dict(re.findall(r'^### \[(.*?)\].*?\n(.*?)(?=^#|\Z)', text, re.M | re.S))
    for path in NAMED:
        name = path.with_suffix('').as_posix()
        if name.endswith('_random'):
            assert f'`{name}`' in sections[name.removesuffix('_random')]
            continue
        # Both in bold, unless they are one paragraph.
        labels = re.findall(r'^\*\*(.*?):\*\*', sections[name], re.MULTILINE)
        assert ' '.join(labels).lower() in ('cost result', 'cost and result'), name
        assert re.search(
            rf'^   *\S.* configs/{re.escape(name)}\.py', sections[name], re.M
        )


class Page(HTMLParser):
    """Links, anchors and loaded files of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.anchors, self.loaded = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs.get('id'), attrs.get('name')}
        if tag == 'a' and 'href' in attrs:
            self.links.append(attrs['href'])
        elif 'src' in attrs or tag == 'link':
            self.loaded.append(attrs.get('src') or attrs.get('href'))


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> dict[Path, Page]:
    """The built site: its pages by path."""
    pytest.importorskip('material', reason='needs mkdocs-material: the extra docs')
    pytest.importorskip('latex2mathml', reason='needs latex2mathml: the extra docs')
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(folder)],
        cwd=ROOT,
        # The theme announces its successor, which is no warning about our pages.
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert 'WARNING' not in done.stderr
    return {path: Page(path.read_text('utf-8')) for path in folder.rglob('*.html')}


def test_no_link_of_the_site_is_broken(site):
    for path, page in site.items():
        if path.name == '404.html':  # its links are those of a server's root
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ('http', 'https', 'mailto'):
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            assert target.exists(), f'{path.name}: {link}'
            if parts.fragment and target in site:
                anchors = site[target].anchors
                assert unquote(parts.fragment) in anchors, f'{path.name}: {link}'


def test_the_site_loads_nothing_from_elsewhere(site):
    for path, page in site.items():
        for file in page.loaded:
            assert not re.match('https?:|//', file), f'{path.name}: {file}'


def test_equations_are_mathml(site):
    (path,) = (path for path in site if path.name == 'method.html')
    text = path.read_text('utf-8')
    assert text.count('<math') == len(
        re.findall(r'\$\$.+?\$\$|\$[^$]+\$', read('docs/method.md'), re.DOTALL)
    )
    assert 'arithmatex' not in text
