"""What all report pages are made of."""

from __future__ import annotations

import base64
import html

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 62rem; margin: 2rem auto }
body { padding: 0 1rem } h1 { font-size: 1.7rem; line-height: 1.2 } h2 { font-size: 1.25rem; margin-top: 2.4rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem } h3 small { font-weight: normal } small, figcaption { color: #5b6675 }
table { border-collapse: collapse; font-size: .92rem } th, td { padding: .3rem .7rem; text-align: right }
th { border-bottom: 2px solid #1c2430 } td { border-bottom: 1px solid #d9dee5 }
th:first-child, td:first-child { text-align: left }
.pair { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start } .pair figure { flex: 1 1 22rem }
figure { margin: .6rem 0 } figure img { max-width: 100%; height: auto } figcaption { font-size: .9rem }
.row { display: flex; flex-wrap: wrap; gap: .7rem } .row figure { width: 8.6rem; margin: 0; padding: .4rem }
.row figure { border: 2px solid #d9dee5; border-radius: 4px } .row .wrong { border-color: #c8553d }
.row img { width: 100%; image-rendering: pixelated } .row figcaption { font-size: .78rem; line-height: 1.3 }
.row figcaption { overflow-wrap: anywhere } .wrong b { color: #c8553d }
.note { background: #fff4d6; border-left: 4px solid #e0a030; padding: .6rem .9rem; margin: 1rem 0 }
"""


def document(name: str, parts: list[str]) -> str:
    """Return a page of its own: no other file, nothing from the network.

    Args:
        name: its title.
        parts: HTML.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{html.escape(name)}</title><style>{_STYLE}</style>'
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def picture(png: bytes, alternative: str, caption: str) -> str:
    """Return a picture with a caption; its bytes stand in the page."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(alternative)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
