"""Texts and documents shared by the tests of reading PDFs."""

from __future__ import annotations

from pathlib import Path

from rag.pdf import sandbox
from rag.pdf.load import load
from rag.settings import Limits
from tests.rag import pdfs

LIMITS = Limits()
SHARED = Path(__file__).parents[2].parent / "shared" / "eval"
ENGLISH = (
    "The company recognises revenue when control of the promised goods is transferred to its customers in an "
    "amount that reflects the consideration it expects to receive in exchange for them."
)
CHINESE = "黑豹队的防守只丢了 308 分，在联赛中排名第六，同时也以 24 次拦截领先国家橄榄球联盟，并且四次入选职业碗。"
BOTH = pdfs.text_pdf([ENGLISH, CHINESE, f"{ENGLISH}\n{CHINESE}"], title="Annual report", author="ACME")


def patch_child(monkeypatch, folder, patch):
    """Run the real child with some statements before its `main`; they see its module as `child`."""
    script = folder / "patched_child.py"
    script.write_text(
        "import importlib.util, os, resource, signal, sys\n"
        f"spec = importlib.util.spec_from_file_location('child', {str(sandbox.SCRIPT)!r})\n"
        "child = importlib.util.module_from_spec(spec)\n"
        f"spec.loader.exec_module(child)\n{patch}\nchild.main()\n"
    )
    monkeypatch.setattr(sandbox, "SCRIPT", script)


def read(data, **changes):
    return load(data, limits=LIMITS, **changes)


def texts(document):
    return [page.text for page in document.pages]
