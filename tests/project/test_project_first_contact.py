"""The README's two commands, and .ci/run, with a Python into which nothing can be installed.

Debian, Ubuntu and Homebrew mark their Python as EXTERNALLY-MANAGED (PEP 668), and pip then refuses.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pip
import pytest

COMMANDS = re.compile(r"^python3 -m pip install .* && .*$", re.MULTILINE)
UV = "#!/bin/sh\necho uv $*\n"
"""A stand-in that prints its arguments."""


@pytest.fixture
def marked(tmp_path):
    """The environment of a shell whose only Python is marked, with an index of only uv."""
    home = tmp_path / "usr"
    library = home / Path(sysconfig.get_path("stdlib")).relative_to(sys.base_prefix)
    library.mkdir(parents=True)
    for part in Path(sysconfig.get_path("stdlib")).iterdir():
        if part.name not in ("EXTERNALLY-MANAGED", "site-packages"):
            (library / part.name).symlink_to(part)
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=use apt\n")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "pip").symlink_to(Path(pip.__file__).parent)

    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "sh"):
        (programs / name).symlink_to(shutil.which(name))
    python = programs / "python3"
    variables = f'PYTHONHOME="{home}" PYTHONPATH="{modules}"'
    base: str = sys._base_executable  # type: ignore[attr-defined]
    python.write_text(f'#!/bin/sh\n{variables} exec "{base}" "$@"\n')
    python.chmod(0o755)

    index = tmp_path / "index"
    index.mkdir()
    write_wheel_of_uv(index)
    return {
        "HOME": str(tmp_path),
        "PATH": str(programs),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_NO_INDEX": "1",
        "PYTHONNOUSERSITE": "1",
    }


def write_wheel_of_uv(folder):
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / "uv-1.0-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
        program.external_attr = (stat.S_IFREG | 0o755) << 16
        wheel.writestr(program, UV)
        for name, text in about.items():
            wheel.writestr(f"uv-1.0.dist-info/{name}", text)


def run(shell_line, *, folder, environment):
    return subprocess.run(
        ["bash", "-c", shell_line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pip_refuses_to_install_into_a_marked_python(marked, tmp_path):
    ended = run("python3 -m pip install uv", folder=tmp_path, environment=marked)

    assert ended.returncode
    assert "externally-managed-environment" in ended.stderr


def test_the_commands_of_the_readme_work_with_a_marked_python_and_repeatedly(
    marked, tmp_path, project
):
    documented = COMMANDS.findall((project / "README.md").read_text(encoding="utf-8"))
    assert len(documented) == 2
    for command, arguments in zip(documented, ("run demo", "run pytest"), strict=True):
        ended = run(command, folder=tmp_path, environment=marked)

        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.splitlines()[-1] == f"uv {arguments}"


def test_the_ci_script_runs_with_python_and_pip_alone(marked, tmp_path, project):
    (tmp_path / ".ci").mkdir()
    shutil.copy(project / ".ci" / "run", tmp_path / ".ci" / "run")

    ended = run(".ci/run", folder=tmp_path, environment=marked)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "uv sync"
    assert ended.stdout.splitlines()[-2:] == ["uv run pytest", "uv run pytest -m slow -n 8"]
