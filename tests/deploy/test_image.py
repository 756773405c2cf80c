"""The image in deploy: its build steps in an empty folder, its command, and its compose file.

No engine is needed: absolute paths in a step are replaced by paths below the folder. Only the
installation of Debian's packages is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from go_sandbox.seed.store import seed_store
from shop_folders import DEPLOY, LONGEST_SECONDS, Shop, of_postgresql, orders_astray

PROJECT = DEPLOY.parent
PLACES = re.compile(r"(?<![\w./])/(?=opt/|usr/local/|source)")
OF_DEBIAN = "apt-get update && apt-get install --yes --no-install-recommends "


def instructions():
    """Return the name and the text of each instruction of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def is_sent(path):
    """Return whether a file of the project is sent to the engine, according to .dockerignore."""
    sent = True
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            is_below = any(_matches(parent, pattern) for parent in (path, *path.parents))
            sent = line.startswith("!") if is_below else sent
    return sent


def _matches(path, pattern):
    if pattern.startswith("**/"):
        return path.match(pattern.removeprefix("**/"))
    return path.match(pattern) and len(path.parts) == pattern.count("/") + 1


@dataclass
class Stage:
    """A stage of the image: its root, and the instructions so far."""

    root: Path
    folder: str = "/"
    others: dict[str, str] = field(default_factory=dict)

    def place(self, path):
        """Return where a path of the image is here."""
        return self.root / str(Path(self.folder, path)).lstrip("/")

    def below(self, text):
        """Return a text with the paths of the image as they are here."""
        return PLACES.sub(f"{self.root}/", text)


def build(root):
    """Carry out the Dockerfile, and return its last stage.

    Both stages have the same root, because a virtual environment contains its own path: what the
    last stage copies from the first is already in place.
    """
    stage = Stage(root)
    for name, text in instructions():
        if name == "FROM":
            stage = Stage(root)
        elif name == "WORKDIR":
            stage.folder = text
            stage.place(".").mkdir(parents=True)
        elif name == "COPY" and text.startswith("--from=build "):
            _, source, target = text.split()
            assert source == target
        elif name == "COPY":
            copy(stage, *text.split())
        elif name == "RUN" and not text.startswith(OF_DEBIAN):
            lines = ["sh", "-euc", stage.below(text)]
            subprocess.run(lines, cwd=stage.place("."), check=True, timeout=500)
        else:
            stage.others[name] = text
    shutil.rmtree(root / "source")
    return stage


def copy(stage, *words):
    """Copy these files or folders of the project, except what is not sent."""
    *sources, target = map(Path, words)
    for path in committed():
        for source in sources:
            if is_sent(path) and path.is_relative_to(source):
                copied = stage.place(target) / (path.name if path == source else path)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / path, copied)


def committed():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = filter(None, listed.stdout.split("\0"))
    return [Path(name) for name in names if (PROJECT / name).is_file()]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The last stage of the image, built and then read-only."""
    stage = build(tmp_path_factory.mktemp("root"))
    subprocess.run(["chmod", "-R", "a-w", stage.root], check=True)
    return stage


def run_in(image, line, shops, **variables):
    """Run a line of the image with only its variables, and without root's right to write anywhere.

    It runs as the user of the tests, because another might not be able to reach their Python.
    """
    path = image.below(dict(pair.split("=") for pair in image.others["ENV"].split())["PATH"])
    scripts = image.root / "usr" / "local" / "bin"
    base = {"PATH": path.replace("$PATH", f"{scripts}:{of_postgresql()}:/usr/bin:/bin")}
    unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    return subprocess.run(
        [*(unprivileged if os.getuid() == 0 else ()), "sh", "-c", image.below(line)],
        cwd="/",
        env={**base, "TMPDIR": str(shops.parent / "tmp"), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )


@pytest.fixture
def shops(image, box, tmp_path):
    """The mounted folder, with a shop's config files."""
    seed_store(box.shop, customers=2, products=2, orders=3, habits=False)
    shop = Shop(tmp_path / "shops" / "myshop").write_configs(box)
    (tmp_path / "tmp").mkdir()
    return shop.folder.parent


def test_the_image_runs_a_round_and_is_healthy_without_writing_to_itself(image, box, shops):
    assert int(image.others["USER"]) > 0
    assert run_in(image, "touch /opt/sync/new", shops).returncode != 0
    before = sorted(image.root.rglob("*"))
    program, folder, seconds = json.loads(image.others["CMD"])
    assert (program, folder, int(seconds)) == ("sync-shops", "/shops", 3600)

    done = run_in(image, f"sync-shops {shops}", shops)

    assert (done.returncode, done.stderr) == (0, "")
    assert orders_astray(box) == []
    assert sorted(image.root.rglob("*")) == before
    health = image.others["HEALTHCHECK"].partition(" CMD ")[2].replace("/shops", str(shops))
    store = {"TARGET_POWEROFFICEGO_LINK_STORE": str(shops / "myshop" / "links.db")}
    assert run_in(image, health, shops, **store).returncode == 0


def test_the_image_is_unhealthy_if_a_shop_failed_but_not_if_records_wait(image, box, shops):
    health = image.others["HEALTHCHECK"].partition(" CMD ")[2].replace("/shops", str(shops))
    store = {"TARGET_POWEROFFICEGO_LINK_STORE": str(shops / "myshop" / "links.db")}
    assert run_in(image, health, shops, **store).returncode == 1
    box.shop.edit("products", box.shop.records("products")[0]["id"], {"sku": None})
    assert run_in(image, f"sync-shops {shops}", shops).returncode == 0
    assert run_in(image, health, shops, **store).returncode == 0

    box.faults.add(system="shop", method="GET", status=403, times=None)
    assert run_in(image, f"sync-shops {shops}", shops).returncode == 123
    assert run_in(image, health, shops, **store).returncode == 1


def test_all_modules_are_compiled(image):
    packages = image.root / "opt" / "sync" / "lib"
    sources = set(packages.rglob("singer_sdk/*.py"))
    compiled = {
        path.parent.parent / f"{path.name.partition('.')[0]}.py"
        for path in packages.rglob("singer_sdk/__pycache__/*.pyc")
    }
    assert sources
    assert compiled == sources


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "deploy/.env", "deploy/shops/myshop/go.json", "go.json", "state.json"),
        *("target-powerofficego/links.db", "tap-customwebshop/shop.json", ".git/config"),
        *(".venv/bin/python", "tests/ledger.py", "back.jsonl", "docs/running.md"),
    ],
)
def test_no_key_and_no_data_is_sent_to_the_engine(path):
    assert not is_sent(Path(path))


def test_all_modules_of_the_packages_are_sent_to_the_engine():
    missing = [
        path
        for path in committed()
        if path.suffix == ".py"
        and path.parts[0].startswith(("tap-", "target-"))
        and not is_sent(path)
    ]
    assert missing == []


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_compose_builds_this_image_and_lets_it_write_to_the_shops_alone(compose):
    sync = compose["services"]["sync"]
    assert (DEPLOY / sync["build"]["context"]).resolve() == PROJECT
    assert (PROJECT / sync["build"]["dockerfile"]).is_file()
    assert (sync["read_only"], sync["cap_drop"], sync["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert sync["volumes"] == ["./shops:/shops"]


def test_compose_keeps_links_and_states_in_its_own_database(compose):
    database, sync = (compose["services"][name] for name in ("database", "sync"))
    user = database["environment"]["POSTGRES_USER"]
    address = f"postgresql://{user}@database/{user}"
    for name in ("SINGER_STATE", "TARGET_POWEROFFICEGO_LINK_STORE"):
        assert sync["environment"][name] == address
    assert sync["environment"]["PGPASSWORD"].startswith("${POSTGRES_PASSWORD")
    assert sync["depends_on"]["database"]["condition"] == "service_healthy"
    page = (PROJECT / "docs" / "running" / "compose.md").read_text(encoding="utf-8")
    assert f"`{address}`" in page


def test_docker_compose_accepts_the_file():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], check=False).returncode:
        pytest.skip("docker compose is not installed")
    ended = subprocess.run(
        [docker, "compose", "--file", DEPLOY / "compose.yaml", "config", "--services"],
        env={**os.environ, "POSTGRES_PASSWORD": "word"},
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, {*ended.stdout.split()}) == (0, {b"database", b"sync"})
