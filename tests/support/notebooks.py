"""Execute the notebooks and keep what they show: python tests/support/notebooks.py"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from commands import environment
from nbclient import NotebookClient
from nbformat import NotebookNode
from results import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def kept(path: Path) -> NotebookNode:
    """The notebook as it is in the repository."""
    book: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return book


def executed(path: Path) -> NotebookNode:
    """The notebook after its cells ran in a kernel of its own; raises where one fails."""
    book = kept(path)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(book, timeout=120, kernel_name="python3", resources=resources).execute(env=environment())
    for cell in book.cells:
        for output in cell.get("outputs", []):
            if "data" in output:  # an object's address in memory is another one each time
                output["data"]["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", output["data"]["text/plain"])
    return book


def renew(path: Path) -> None:
    """Write a notebook with what its cells show, without when they ran and on what."""
    book = executed(path)
    for cell in book.cells:
        cell.metadata = {}
    book.metadata = {key: book.metadata[key] for key in ("kernelspec",)}
    nbformat.write(book, path)  # type: ignore[no-untyped-call]


def shown(book: NotebookNode) -> str:
    """All text that the cells put out."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    texts = [output.get("text", "") for output in outputs]
    data = [output["data"] for output in outputs if "data" in output]
    texts += [one.get(kind, "") for one in data for kind in ("text/plain", "text/html")]
    return "\n".join(texts)


if __name__ == "__main__":
    for notebook in NOTEBOOKS:
        renew(notebook)
