"""Gives all packages one version: `uv run python .ci/version.py 0.2.0`; default: the newest tag.

Versions are written down, not derived from git, so that a tarball or a shallow clone builds the
same. The packages are released together and import each other's internals, so each requires the
others at its own minor version. A test compares the tag with the written version.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_NEWEST = ("git", "describe", "--tags", "--abbrev=0", "--match", "v*")
_VERSION = re.compile(r'^version = ".*"$', re.MULTILINE)
_SIBLING = re.compile(r'"((?:tap|target)-(?:customwebshop|powerofficego))>=[^"]*"')


def main() -> int:
    """Write the given version, or the newest tag's, to every pyproject.toml."""
    version = sys.argv[1] if sys.argv[1:] else _newest_tag().removeprefix("v")
    for path in (PROJECT / "pyproject.toml", *PROJECT.glob("*/pyproject.toml")):
        path.write_text(with_version(path.read_text(encoding="utf-8"), version), encoding="utf-8")
    return 0


def _newest_tag() -> str:
    return subprocess.run(  # noqa: S603 - our own arguments
        _NEWEST, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def with_version(pyproject: str, version: str) -> str:
    """Return a pyproject with this version, and its siblings required at this minor version."""
    pyproject = _VERSION.sub(f'version = "{version}"', pyproject, count=1)
    return _SIBLING.sub(rf'"\1{siblings_of(version)}"', pyproject)


def siblings_of(version: str) -> str:
    """Return which versions of its siblings a package of this version requires."""
    major, minor = map(int, version.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"


if __name__ == "__main__":
    raise SystemExit(main())
