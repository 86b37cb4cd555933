"""Small HTML pages without scripts, readable in light and dark."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }}
dt {{ font-weight: 600; margin-top: 1rem; }}
code {{ font-family: ui-monospace, monospace; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(title: str, body: str) -> HTMLResponse:
    """Wrap a body of HTML in a page; the title is plain text."""
    headers = {"Content-Security-Policy": _POLICY}
    return HTMLResponse(_FRAME.format(title=escape(title), body=body), headers=headers)


def text(plain: str) -> str:
    """Escape a sentence; words between backquotes become code."""
    parts = escape(plain).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def link(target: str, label: str) -> str:
    return f'<a href="{escape(target)}">{text(label)}</a>'
