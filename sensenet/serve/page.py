"""The page at `/`: the models of a server, what they read, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from sensenet.serve.interface import Declared
from sensenet.serve.served import Catalog, Served

STYLE = "body{font:1rem/1.5 sans-serif;margin:2rem;max-width:60rem}td,th{padding:0 1rem 0 0;text-align:left}"


def write_page(catalog: Catalog) -> str:
    """Return the page of a catalog, in HTML."""
    sections = "\n".join(map(_section, catalog.all()))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>sensenet</title>
<style>{STYLE}</style>
<h1>Models</h1>
<p>This server speaks the Open Inference Protocol, version 2: <a href="/v2">/v2</a>,
<a href="/metrics">/metrics</a>.</p>
{sections}
</html>
"""


def _section(served: Served) -> str:
    path = f"/v2/models/{quote(served.name, safe='')}/versions/{quote(served.version, safe='')}"
    description = served.model.signature.description
    return f"""<h2>{escape(served.name)}, version {escape(served.version)}</h2>
<p>{escape(description)}</p>
<p><a href="{path}">{path}</a>; answers <code>POST {path}/infer</code></p>
<h3>Inputs</h3>
{_table(served.interface.inputs)}
<h3>Outputs</h3>
{_table(served.interface.outputs)}"""


def _table(tensors: Iterable[Declared]) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(each.name)}<td>{each.datatype}<td>{list(each.shape)}<td>{escape(each.description)}"
        for each in tensors
    )
    return f"<table><tr><th>name<th>datatype<th>shape<th>\n{rows}\n</table>"
