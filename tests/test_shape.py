"""Properties of the code itself: one-way imports, each package's libraries, and sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("webui", "rag", "model")
# Import nothing else of ours; rag and model may both use them.
SEAMS = {
    "rag.reader",
    "rag.manner",
    "rag.bugs",
    "rag.errors",
    "rag.json_lines",
    "rag.messages",
    "rag.language",
    "rag.processors",
}


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def ours(path: Path) -> set[str]:
    """Dotted names of our modules that a file asks for, those inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            is_module = {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}
            found |= is_module or {node.module}
    return {name for name in found if name.split(".")[0] in (*PRODUCT, "app")}


@pytest.mark.parametrize("path", modules(*PRODUCT), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    asked = ours(path)
    if package == "rag":
        assert {name for name in asked if not name.startswith("rag")} == set()
    if package == "webui":
        assert {name for name in asked if not name.startswith(("rag", "webui"))} == set()
    if package == "model":
        assert {name for name in asked if not name.startswith("model")} <= SEAMS
    if ".".join(path.relative_to(ROOT).with_suffix("").parts) in SEAMS:
        assert asked <= SEAMS


# Which folders of rag/ each folder may import. The modules of BASE may be imported by all; the other modules of rag/
# itself (the engine, the command lines) put the folders together and are imported by none of them.
FOLDERS: dict[str, set[str]] = {
    "pdf": set(),
    "embed": set(),
    "index": set(),
    "store": set(),
    "upkeep": {"store"},
    "ingest": {"pdf", "embed", "index", "store"},
    "retrieve": {"embed", "index", "pdf", "store"},
    "answer": {"embed", "index", "pdf", "retrieve", "store"},
    "evaluation": {"answer", "store"},
}
BASE = {
    "bugs",
    "child_process",
    "errors",
    "json_lines",
    "kept",
    "logs",
    "messages",
    "language",
    "manner",
    "preferences",
    "reader",
    "records",
}
BASE |= {"settings", "word_boxes"}


def imported_parts(path: Path) -> set[str]:
    """Folders of rag/, and modules in rag/ itself, that a file imports, its own folder left out."""
    parts = path.relative_to(ROOT / "rag").with_suffix("").parts
    return {name.split(".")[1] for name in ours(path) if name.startswith("rag.")} - {parts[0]}


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_each_folder_of_rag_imports_what_the_table_allows_and_no_more(folder):
    imported = {name for path in modules(f"rag/{folder}") for name in imported_parts(path)}
    assert imported - BASE == FOLDERS[folder]


def test_the_table_has_every_folder_of_rag_and_no_cycle():
    assert set(FOLDERS) == {
        path.relative_to(ROOT / "rag").parts[0] for path in modules("rag") if path.parent.name != "rag"
    }
    order = list(FOLDERS)
    assert all(order.index(needed) < order.index(folder) for folder in order for needed in FOLDERS[folder])


@pytest.mark.parametrize("name", sorted(BASE))
def test_a_base_module_of_rag_imports_base_modules_alone(name):
    assert imported_parts(ROOT / "rag" / f"{name}.py") <= BASE


FOREIGN = {
    "webui": {"torch", "faiss", "pypdf", "pypdfium2", "transformers"},
    "rag": {"gradio"},
    "model": {"gradio", "faiss"},
}


@pytest.mark.parametrize("path", modules(*PRODUCT), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_package_keeps_to_its_libraries(path):
    tree = ast.parse(path.read_text("utf-8"))
    asked = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    asked |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    assert not asked & FOREIGN[path.relative_to(ROOT).parts[0]]


def test_importing_the_packages_loads_no_weights_and_starts_nothing():
    heavy = {"torch", "transformers", "gradio", "faiss", "sentence_transformers"}
    code = f"import app, rag, model, webui, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", modules(*PRODUCT), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name
