"""The pages of a server: its models, what they read and answer; and a page in which to try each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from sensenet.backends.web import TARGET as WEB
from sensenet.compiler.driver import compile
from sensenet.drawing.page import escape_text, read_style
from sensenet.drawing.page import write_page as write_html
from sensenet.llvm.installed import has_llvm
from sensenet.serve.interface import Declared
from sensenet.serve.served import Catalog, Served


def write_page(catalog: Catalog) -> str:
    """Return the page of a catalog, in HTML."""
    style = read_style(Path(__file__).parent / "page.css")
    introduction = [
        "<main>",
        "<h1>Models</h1>",
        '<p>This server speaks the Open Inference Protocol, version 2: <a href="/v2">/v2</a>, '
        '<a href="/metrics">/metrics</a>.</p>',
    ]
    return write_html("sensenet", style, [*introduction, *map(_section, catalog.all()), "</main>"])


def has_page(served: Served) -> bool:
    """Return whether a model can be tried in a page: one of rows whose graph is known, if there is LLVM."""
    return not served.reads_images and served.model._executable.graph is not None and has_llvm()


def write_model_page(served: Served) -> bytes:
    """Return a page that predicts in the browser, by the target web; raises what `compile` raises."""
    return bytes(compile(served.model._graph(), WEB.name, single_file=True))


def _section(served: Served) -> str:
    place = f"{quote(served.name, safe='')}/versions/{quote(served.version, safe='')}"
    path = f"/v2/models/{place}"
    try_it = f'<p><a href="/models/{place}">Try it in a page</a></p>' if has_page(served) else ""
    return f"""<section>
<h2>{escape_text(served.name)}, version {escape_text(served.version)}</h2>
<p>{escape_text(served.model.signature.description)}</p>
{try_it}
<p><a href="{path}">{path}</a>; answers <code>POST {path}/infer</code></p>
<h3>Inputs</h3>
{_table(served.interface.inputs)}
<h3>Outputs</h3>
{_table(served.interface.outputs)}
</section>"""


def _table(tensors: Iterable[Declared]) -> str:
    rows = "\n".join(
        f"<tr><td>{escape_text(each.name)}<td>{each.datatype}<td>{list(each.shape)}"
        f"<td>{escape_text(each.description)}"
        for each in tensors
    )
    return f"<table><tr><th>name<th>datatype<th>shape<th>description\n{rows}\n</table>"
