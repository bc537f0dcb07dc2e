"""Every promise of docs/security.md names a test, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "docs" / "security.md").read_text("utf-8").splitlines()
PROMISES = [line for line in LINES if line.startswith("| ") and not line.startswith("| promise ")]
NAMED = sorted({name for line in PROMISES for name in re.findall(r"`(tests/[^`]+)`", line)})


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name):
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test():
    assert len(PROMISES) > 20
    for promise in PROMISES:
        assert re.search(r"`tests/\w.*::test_\w+`", promise), promise
