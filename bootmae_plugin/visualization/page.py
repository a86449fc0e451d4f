"""A self-contained HTML page: text, tables, charts and pictures in one file."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

# Both color schemes; nothing is loaded from elsewhere, and no script runs.
STYLE = """
:root { color-scheme: light dark; --text: #1d2430; --muted: #5b6675; --line: #d5dae2;
  --ground: #ffffff; --shade: #f3f5f8; --accent: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e7ee; --muted: #9aa5b5;
  --line: #394252; --ground: #14181f; --shade: #1e242e; --accent: #7fb0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--text);
  background: var(--ground); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; overflow-wrap: anywhere; }
p, figcaption { color: var(--muted); margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; max-width: 28rem; overflow-wrap: break-word; }
th { background: var(--shade); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code, pre { font: .85rem/1.4 ui-monospace, monospace; }
pre { background: var(--shade); padding: .6rem; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: .25rem 0; }
.charts { display: grid; gap: 1rem; grid-template-columns:
  repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; }
figure svg { width: 100%; height: auto; color: var(--text); }
figure img { max-width: 100%; height: auto; }
img.pixels { image-rendering: pixelated; min-width: min(100%, 20rem); }
"""


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole HTML document.

    Args:
        title: Its title, plain text.
        body: HTML of its sections.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><h1>{escape(title)}</h1>\n' + '\n'.join(body) + '\n</body></html>\n'
    )


def section(title: str, *parts: str, note: str = '') -> str:
    """Return a section; empty if it has no parts.

    Args:
        title: Its heading, plain text.
        *parts: Its HTML.
        note: A sentence below the heading, plain text.
    """
    parts = [part for part in parts if part]
    if not parts:
        return ''
    note = f'<p>{escape(note)}</p>' if note else ''
    return (
        f'<section><h2>{escape(title)}</h2>{note}\n' + '\n'.join(parts) + '</section>'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers are right-aligned, everything is escaped."""

    def cell(value: object) -> str:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        text = f'{value:.4g}' if isinstance(value, float) else str(value)
        return f'<td{" class=number" if number else ""}>{escape(text)}</td>'

    top = ''.join(f'<th>{escape(name)}</th>' for name in head)
    body = ''.join(f'<tr>{"".join(map(cell, row))}</tr>\n' for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>\n{body}</table></div>'


def grid(figures: Iterable[str]) -> str:
    """Arrange charts side by side where there is room; empty if there are none."""
    figures = list(figures)
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ''


def figure(content: str, caption: str) -> str:
    """Return HTML content with a caption (plain text)."""
    return f'<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>'


def picture(image: np.ndarray | Path, caption: str) -> str:
    """Embed a picture.

    Args:
        image: (H, W, 3) uint8, or a PNG file.
        caption: Its description, plain text.
    """
    if isinstance(image, Path):
        data = image.read_bytes()
        width = Image.open(io.BytesIO(data)).width
    else:
        buffer, width = io.BytesIO(), image.shape[1]
        Image.fromarray(image).save(buffer, 'png', optimize=True)
        data = buffer.getvalue()
    kind = ' class="pixels"' if width < 400 else ''
    source = f'data:image/png;base64,{base64.b64encode(data).decode()}'
    return figure(f'<img{kind} src="{source}" alt="{escape(caption)}">', caption)
