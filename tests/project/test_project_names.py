"""Names in the code say what a value is: none fits just anything."""

import ast

import pytest

VAGUE = {"one", "told", "said", "thing"}
FOLDERS = (
    *("tap-customwebshop", "target-powerofficego", "tap-powerofficego", "target-customwebshop"),
    *("sandbox", "tests", "benchmarks", "deploy", "examples", ".ci"),
)


def names_bound_in(file):
    """Yield the names of variables and parameters that a file binds, each with its line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_fits_anything(project, folder):
    files = list((project / folder).rglob("*.py"))

    assert files
    assert not [
        f"{file.relative_to(project)}:{line}: {name}"
        for file in files
        for name, line in names_bound_in(file)
        if name in VAGUE
    ]
