"""Updates the tested set to the newest versions: `uv run python .ci/pin.py`, then `.ci/run`.

The tested set is `constraint-dependencies` in the root pyproject.toml: every package with its
version, for each supported Python. It is kept there because uv.lock, which names the addresses of
package indexes, is not committed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
LOCK = ("lock", "--upgrade", "--quiet")
EXPORT = (
    *("export", "--quiet", "--all-groups", "--no-emit-workspace"),
    *("--no-hashes", "--no-header", "--no-annotate"),
)
_TESTED_SET = re.compile(r"^constraint-dependencies = \[.*?^\]\n", re.DOTALL | re.MULTILINE)


def main() -> int:
    """Rewrite the tested set; return 0, or 1 when uv failed, for example because no set fits."""
    before = PYPROJECT.read_text(encoding="utf-8")
    try:
        PYPROJECT.write_text(with_tested_set(before, []), encoding="utf-8")
        _uv(*LOCK)
        exported = _uv(*EXPORT)
    except BaseException as failure:
        PYPROJECT.write_text(before, encoding="utf-8")
        if isinstance(failure, subprocess.CalledProcessError):
            sys.stderr.write("The tested set was left as it was.\n")
            return 1
        raise
    lines = [line.strip() for line in exported.splitlines()]
    pinned = [line for line in lines if line and not line.startswith(("#", "-"))]
    PYPROJECT.write_text(with_tested_set(before, pinned), encoding="utf-8")
    sys.stdout.write(f"{len(pinned)} packages are pinned in {PYPROJECT.name}; now run .ci/run\n")
    return 0


def _uv(*arguments: str) -> str:
    uv = shutil.which("uv") or "uv"
    ended = subprocess.run(  # noqa: S603 - our own arguments
        (uv, *arguments), cwd=PYPROJECT.parent, check=True, stdout=subprocess.PIPE, text=True
    )
    return ended.stdout


def with_tested_set(pyproject: str, pinned: list[str]) -> str:
    """Return a pyproject with this tested set in `[tool.uv]`."""
    lines = "".join(f'  "{requirement}",\n' for requirement in pinned)
    block = f"constraint-dependencies = [\n{lines}]\n"
    if _TESTED_SET.search(pyproject):
        return _TESTED_SET.sub(lambda _: block, pyproject, count=1)
    return pyproject.replace("[tool.uv]\n", f"[tool.uv]\n{block}", 1)


if __name__ == "__main__":
    raise SystemExit(main())
