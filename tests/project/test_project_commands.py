"""Each command in a document runs unchanged against a sandbox, or there is a reason why not."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import commands
import pytest
from go_sandbox import Sandbox
from go_sandbox.command import environment
from go_sandbox.seed.store import seed_store
from ledger import A_PERSON
from target_powerofficego.links_command import main as links
from target_powerofficego.links_command.commands import CommandToLoad

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *(str(path.relative_to(PROJECT)) for path in sorted((PROJECT / "docs").rglob("*.md"))),
    "tap-customwebshop/README.md",
    "tap-powerofficego/README.md",
    "target-customwebshop/README.md",
    "target-powerofficego/README.md",
    "sandbox/README.md",  # last, because it changes how the two systems behave
)
OURS = re.compile(
    r"(uv run|\.ci/\w+|meltano|powerofficego-links|(tap|target)-\w+|sandbox|demo|curl .*\$ADMIN) "
)
CODE = re.compile(r"^```(\w*)\n(.*?)^```$|(?<!`)`([^`]+)`", re.DOTALL | re.MULTILINE)

FIRST_CONTACT = (
    "test_project_first_contact.py"
    "::test_the_commands_of_the_readme_work_with_a_marked_python_and_repeatedly"
)
NOT_RUN = {
    "python3 -m pip install --upgrade --target .uv uv && .uv/bin/uv run demo": FIRST_CONTACT,
    "python3 -m pip install --upgrade --target .uv uv && .uv/bin/uv run pytest": FIRST_CONTACT,
    "uv run demo": "test_demo.py::test_the_readme_shows_the_end_of_the_demo",
    "uv run demo --keep": (
        "test_demo.py::test_both_ways_run_by_hand_with_the_variables_that_keep_prints"
    ),
    "uv run sandbox --seed": (
        "test_server_command.py::test_it_prints_variables_that_work_and_stops_at_ctrl_c"
    ),
    "sandbox --state go.db": "test_server_command.py::test_the_state_file_keeps_the_records",
    "uv run python tests/declarations.py": (
        "test_project_settings.py"
        "::test_generated_declarations_are_current_by_uv_run_python_tests_declarations_py"
    ),
    "uv run python tests/declarations.py --repository https://git.example.com/new-place": (
        "test_project_settings.py::test_a_new_address_of_the_repository_is_in_every_file"
    ),
    "uv run python tests/declarations.py --install-from pypi": (
        "test_project_settings.py::test_the_hub_installs_from_pypi_or_by_git_as_requested"
    ),
    "uv run python tests/documents.py": (
        "test_project_documents.py"
        "::test_generated_documents_are_current_by_uv_run_python_tests_documents_py"
    ),
    "uv run python .ci/version.py 0.2.0": (
        "test_project_documents.py::test_one_command_writes_a_version_and_the_bounds_of_siblings"
    ),
    "powerofficego-links check --config go.json --test-notify": (
        "test_notify.py::test_a_test_message_is_sent_before_anything_was_synced"
    ),
    "uv build --all-packages": (
        "test_project_packages.py::test_each_package_is_built_as_an_index_requires"
    ),
    ".ci/run": "test_project_first_contact.py::test_the_ci_script_runs_with_python_and_pip_alone",
    **dict.fromkeys(
        (
            "pip install ./tap-customwebshop",
            "pip install ./tap-customwebshop ./target-powerofficego",
            "pip install ./tap-customwebshop ./target-powerofficego ./target-customwebshop",
            "pip install ./tap-powerofficego ./target-customwebshop",
            "pip install ./sandbox",
            "pip install ./target-powerofficego",
            "pip install ./target-powerofficego ./tap-powerofficego",
            'pip install "./target-powerofficego[notify]"',
            'pip install "./target-powerofficego[postgresql]"',
            "python3 -m venv ~/powerofficego-dagster/.venv",
            (
                "~/powerofficego-dagster/.venv/bin/pip install"
                " --requirement deploy/dagster/requirements.txt"
            ),
            "uv sync",
            "uv run python .ci/pin.py",
            ".ci/resolved lowest-direct tests/target_powerofficego",
            ".ci/resolved highest tests/target_powerofficego",
        ),
        "installs from an index",
    ),
    **dict.fromkeys(
        ("deploy/sync-shop ~/shops/myshop", "sync-shop ~/shops/myshop"),
        "test_sync_shop.py::test_a_round_runs_both_ways_and_the_next_continues_from_both_states",
    ),
    **dict.fromkeys(
        (
            '(umask 077 && sqlite3 powerofficego-links.db ".backup backup.db")',
            "rm -f powerofficego-links.db powerofficego-links.db-* state.json* back.json*",
            "install -m 600 backup.db powerofficego-links.db",
            'pg_dump --format=custom --file=backup.dump "$SINGER_STATE"',
            'pg_restore --clean --if-exists --exit-on-error --dbname="$SINGER_STATE" backup.dump',
        ),
        "test_restored.py"
        "::test_an_hour_old_backup_is_restored_and_nothing_is_lost_or_written_twice",
    ),
    "crontab deploy/crontab": (
        "test_schedulers.py"
        "::test_the_line_of_the_crontab_runs_a_round_of_all_shops_and_prints_nothing_on_success"
    ),
    "sudo systemctl start powerofficego-sync@myshop": (
        "test_schedulers.py::test_the_command_of_the_service_runs_a_round_of_its_shop"
    ),
    **dict.fromkeys(
        (
            "sudo python3 -m venv /opt/powerofficego-sync",
            (
                "sudo /opt/powerofficego-sync/bin/pip install ./tap-customwebshop"
                ' "./target-powerofficego[postgresql]" ./tap-powerofficego ./target-customwebshop'
            ),
            "sudo install deploy/sync-shop deploy/sync-shops /opt/powerofficego-sync/bin",
            "mkdir -p -m 700 ~/shops/myshop",
            "sudo useradd --system --home-dir /srv/shops powerofficego",
            "sudo install --directory --owner powerofficego --mode 700 /srv/shops/myshop",
            "sudo install --mode 644 deploy/systemd/* /etc/systemd/system",
            "journalctl --unit powerofficego-sync@myshop",
            "sudo systemctl enable --now powerofficego-sync@myshop.timer",
        ),
        "changes the machine that it runs on",
    ),
    **dict.fromkeys(
        (
            "cp -R deploy/dagster ~/powerofficego-dagster",
            "~/powerofficego-dagster/start",
        ),
        "test_dagster.py::test_each_shop_has_a_schedule_that_is_on_at_a_minute_of_its_own",
    ),
    **dict.fromkeys(
        (
            (
                "cp deploy/dagster/*.py deploy/dagster/*.txt deploy/dagster/start"
                " ~/powerofficego-dagster"
            ),
            (
                "DAGSTER_HOME=~/powerofficego-dagster"
                " ~/powerofficego-dagster/.venv/bin/dagster instance migrate"
            ),
        ),
        "needs Dagster, in an environment of its own",
    ),
    **dict.fromkeys(
        (
            "docker compose --file deploy/compose.yaml up --build --detach",
            "docker compose --file deploy/compose.yaml exec sync powerofficego-links check",
            "docker compose --file deploy/compose.yaml exec sync powerofficego-links rejects",
            (
                "docker compose --file deploy/compose.yaml exec --no-TTY database"
                " pg_dump --username=sync --format=custom sync > backup.dump"
            ),
            "docker compose --file deploy/compose.yaml stop sync",
            (
                "docker compose --file deploy/compose.yaml exec --no-TTY database"
                " pg_restore --username=sync --dbname=sync --clean --if-exists < backup.dump"
            ),
            "docker compose --file deploy/compose.yaml start sync",
        ),
        "needs a Docker engine",
    ),
    "uv run pytest": "would run this test",
    "uv run pytest --cov": "would run this test",
    "uv run pytest tests/reliability --long -n 8": "takes five hours",
    **dict.fromkeys(
        (
            "uv run pytest tests/target_powerofficego/test_merge.py",
            "uv run pytest -k phone --pdb",
            "uv run pytest -m slow -n 8",
            "uv run ruff format --check && uv run ruff check && uv run mypy",
            "uv run mypy --config-file tests/mypy.ini",
        ),
        "is a part of .ci/run",
    ),
    **dict.fromkeys(
        (
            "python3 -m venv ~/airflow",
            "~/airflow/bin/pip install apache-airflow==3.3.2",
            "export PATH=~/airflow/bin:$PATH",
            "export SHOPS=~/shops MELTANO=~/meltano/bin/meltano MELTANO_ENVIRONMENT=production",
            "export AIRFLOW__CORE__DAGS_FOLDER=$PWD/deploy/airflow",
            "cd ~/shops/go-key-1/myshop",
            "~/meltano/bin/meltano install",
            "~/meltano/bin/meltano schedule list --format=json > schedules.json",
            "airflow db migrate",
            'airflow pools set go-key-1 1 "Shops on this key, one at a time"',
            "airflow dags test myshop-sync-hourly",
            "airflow standalone",
            "airflow dags unpause --yes myshop-sync-hourly",
        ),
        "needs Airflow; was tried by hand",
    ),
    'git commit --all --message "Release 0.2.0"': "makes a release",
    "git tag v0.2.0": "makes a release",
}
"""Why a command is not run here: a reason, or the test that runs it."""

FILES = {
    "shop.json": "tap-customwebshop",
    "go.json": "target-powerofficego",
    "go-read.json": "tap-powerofficego",
    "shop-write.json": "target-customwebshop",
}
"""The config files of the documents, and the plugin of each."""
RENAMED_FILES = {
    "tap-powerofficego/README.md": {"go.json": "go-read.json", "state.json": "back.json"},
}
"""Documents in which a file has the contents that other documents give another name."""


@dataclass(frozen=True)
class Example:
    """Commands in one place of a document, as lines of a shell."""

    document: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {self.lines[0]}"


def examples_in(document):
    """Yield the examples of a document, in the order of its text."""
    for language, block, code in CODE.findall((PROJECT / document).read_text(encoding="utf-8")):
        if language == "sh" or (not language and OURS.match(block)):
            joined = re.sub(r"\\\n\s*", "", block).splitlines()
            lines = [line.partition("  #")[0].rstrip() for line in joined]
            yield Example(document, tuple(line for line in lines if line and line[0] != "#"))
        elif OURS.match(code):
            yield Example(document, (" ".join(code.split()),))


EXAMPLES = [example for document in DOCUMENTS for example in examples_in(document)]
LINES = {line for example in EXAMPLES for line in example.lines}
OF_MELTANO = sorted(line for line in LINES if re.match(r"(uv run )?meltano ", line))


def examples_to_run():
    """Yield the examples to run here: each line once, even if several documents have it."""
    done = {*NOT_RUN, *OF_MELTANO}
    for example in EXAMPLES:
        lines = tuple(line for line in example.lines if line not in done)
        done |= {*lines}
        if lines:
            yield Example(example.document, lines)


@pytest.fixture(scope="module")
def box():
    with Sandbox.start() as started:
        seed_store(started.shop, customers=8, products=8, orders=12, with_mistakes=True)
        yield started


@pytest.fixture(scope="module")
def prepared(box, configs, tmp_path_factory):
    """A folder with all files that the documents name, after a run that held one customer."""
    folder = tmp_path_factory.mktemp("prepared")
    email = box.shop.record("customers", "1901")["email"]
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": email})
    for name, plugin in FILES.items():
        (folder / name).write_text(json.dumps(configs(box)[plugin]), encoding="utf-8")
    read = commands.run("tap-customwebshop", "--config", "shop.json", cwd=folder)
    ended = commands.run(
        "target-powerofficego", "--config", "go.json", given=read.stdout, cwd=folder
    )
    assert ended.returncode == 3, ended.stderr
    (folder / "state.json").write_text(ended.stdout.splitlines()[-1], encoding="utf-8")
    (folder / "back.json").write_text("{}", encoding="utf-8")
    sandbox = (PROJECT / "sandbox" / "README.md").read_text(encoding="utf-8")
    (order,) = re.findall(r"^```json\n(.*?)^```$", sandbox, re.DOTALL | re.MULTILINE)
    (folder / "order.json").write_text(order, encoding="utf-8")
    (folder / "docs").mkdir()
    (folder / ".curlrc").write_text("fail\n")  # a refusal of the sandbox is a failure
    return folder


@pytest.fixture(scope="module")
def words(box, prepared):
    """The values in the sandbox that replace the words of the documents, by regular expression."""

    def listed(*arguments):
        ended = commands.run("powerofficego-links", *arguments, "--format", "json", cwd=prepared)
        return [json.loads(line) for line in ended.stdout.splitlines()]

    unlinked = box.go.create("Customers", {"IsPerson": False, "Name": "Fjord AS"})
    customers = box.go.entries("Customers")
    linked = next(entry for entry in customers if entry["ExternalImportReference"])
    candidate = next(entry for entry in customers if entry["LastName"] == "Nordmann")
    to_send, to_reverse, order = box.go.entries("SalesOrders")[:3]
    guest = next(record for record in box.shop.records("orders") if record["is_guest"])
    return {
        r"\b17\b": listed("rejects")[0]["id"],
        r"(?<=customer)(s?) 1001\b": r"\1 1901",
        r"\b5012\b": candidate["Id"],
        r"\bENTITY SHOP_ID GO_ID\b": f"customers 1901 {candidate['Id']}",
        r"kari@example\.no": guest["buyer"]["email"],
        r"(?<=orders )ID\b": order["ExternalImportReference"].partition(":")[2],
        r"\bNUMBER\b": listed("rejects")[0]["id"],
        r"(?<=/Customers/)ID\b": unlinked["Id"],
        r"(?<=contact_id=)ID\b": linked["Id"],
        r"(?<=/SalesOrders/)ID\b": order["Id"],
        r"\bLINE_ID\b": order["SalesOrderLines"][0]["Id"],
        r"(?<=/OutgoingInvoices/)ID(?=/reverse)": box.go.send_invoice(to_reverse["Id"])["Id"],
        r"(?<=/OutgoingInvoices/)ID\b": box.go.send_invoice(to_send["Id"])["Id"],
    }


@pytest.fixture
def run_lines(box, prepared, words, tmp_path):
    """A function that runs an example in a shell, answers yes, and returns statuses and output."""
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder)

    def run(example):
        for name, source in RENAMED_FILES.get(example.document, {}).items():
            shutil.copy(folder / source, folder / name)
        lines = example.lines
        for word, value in words.items():
            lines = [re.sub(word, str(value), line) for line in lines]
        script = "".join(f"{line}\necho ${{PIPESTATUS[@]}} >> statuses\n" for line in lines)
        person, terminal = pty.openpty()
        os.write(person, b"y\n" * len(lines))
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=variables(box, folder),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        os.close(person)
        os.close(terminal)
        return (folder / "statuses").read_text().splitlines(), ended.stdout

    return run


def variables(box, folder):
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv
    programs = (Path(sys.executable).parent, Path(uv).parent, os.environ["PATH"])
    return {
        **os.environ,
        **environment(box),
        "ADMIN": box.admin_url,
        "CURL_HOME": str(folder),
        "PATH": os.pathsep.join(map(str, programs)),
        "UV_NO_SYNC": "1",
        "UV_PROJECT": str(PROJECT),
    }


def documented_statuses(line):
    """Return the exit statuses of a line's programs; 3 means that something waits for a person."""
    if "&&" in line or "||" in line:
        return "0"
    ends_with_3 = re.compile(r"(uv run )?(target-powerofficego|powerofficego-links check)\b")
    return " ".join("3" if ends_with_3.match(part) else "0" for part in re.split(r" *\| ", line))


@pytest.mark.slow
@pytest.mark.parametrize("example", list(examples_to_run()), ids=str)
def test_each_example_of_a_document_works_unchanged(example, run_lines):
    statuses, printed = run_lines(example)

    actual = dict(zip(example.lines, statuses, strict=True))
    expected = {line: documented_statuses(line) for line in example.lines}
    assert actual == expected, printed[-2000:]


@pytest.fixture(scope="module")
def meltano_blocks(meltano_yml):
    """What `meltano run` and `meltano invoke` accept in this project."""
    plugins = [json.loads(path.read_text("utf-8")) for path in PROJECT.glob("plugins/*/*.lock")]
    commands = [
        f"{plugin['name']}:{command}"
        for plugin in plugins
        for command in plugin.get("commands", ())
    ]
    return {*commands, *(block["name"] for block in [*plugins, *meltano_yml["jobs"]])}


@pytest.mark.slow
@pytest.mark.parametrize("line", OF_MELTANO)
def test_meltano_accepts_each_command_of_a_document(line, meltano_blocks, meltano_yml):
    """tests/end_to_end/test_meltano_project.py tests what the commands do."""
    from meltano.cli import cli as meltano

    options, (name, *words) = parse_options(meltano, shlex.split(line.removeprefix("uv run "))[1:])
    parse_options(meltano.get_command(click.Context(meltano), name), words)
    blocks = [word for word in words if not word.startswith("-")]
    if name == "invoke":
        blocks = words[:1]
        command, *arguments = words[0].split(":")[1:] + words[1:]
        to_load = links.commands[command]
        assert isinstance(to_load, CommandToLoad)
        parse_options(to_load.loaded, arguments)

    environments = {environment["name"] for environment in meltano_yml["environments"]}
    assert options.get("environment") in {None, *environments}
    assert set(blocks) <= meltano_blocks


def parse_options(command, words):
    """Return a command's options among these words, and the words of its subcommand.

    Raises:
        click.NoSuchOption: The command has no such option.
    """
    context = click.Context(command, **command.context_settings)
    options, others, _ = command.make_parser(context).parse_args([*words])
    return options, others


@pytest.mark.parametrize("line", NOT_RUN)
def test_each_command_not_run_is_in_a_document_and_the_test_that_runs_it_exists(line):
    file, is_test, name = NOT_RUN[line].partition("::")
    assert line in LINES
    if is_test:
        (path,) = PROJECT.glob(f"tests/*/{file}")
        assert f"def {name}(" in path.read_text(encoding="utf-8")
