"""Gives all packages one version: `uv run python .ci/version.py 0.2.0`, or the newest tag's.

A version is written down, not worked out from git, so that a tarball or a shallow clone builds the
same. The packages are released together and use each other's insides, so each asks for the others
of its own minor version. A test compares a tag with what stands here.
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
    """Write the version that is given, or that the newest tag names, in every pyproject."""
    version = sys.argv[1] if sys.argv[1:] else _newest_tag().removeprefix("v")
    for path in (PROJECT / "pyproject.toml", *PROJECT.glob("*/pyproject.toml")):
        path.write_text(with_version(path.read_text(encoding="utf-8"), version), encoding="utf-8")
    return 0


def _newest_tag() -> str:
    return subprocess.run(  # noqa: S603 - our own arguments
        _NEWEST, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def with_version(pyproject: str, version: str) -> str:
    """Return a pyproject with this version, and with the bounds of its siblings."""
    told = _VERSION.sub(f'version = "{version}"', pyproject, count=1)
    return _SIBLING.sub(rf'"\1{siblings_of(version)}"', told)


def siblings_of(version: str) -> str:
    """Return the versions of the other packages that one of this version takes."""
    major, minor = map(int, version.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"


if __name__ == "__main__":
    raise SystemExit(main())
