"""All four plugins report each setting that they cannot read in one line, and stop."""

import importlib
import json
import os
import subprocess
from pathlib import Path

import commands
import pytest
from singer_sdk.configuration import _dict_config

BOOLEANS = {
    "tap-customwebshop": "flattening_enabled",
    "tap-powerofficego": "flattening_enabled",
    "target-powerofficego": "dry_run",
    "target-customwebshop": "dry_run",
}
"""A setting of each plugin that is true or false."""
SECRETS = {"tap-powerofficego": "client_key", "target-powerofficego": "client_key"}
"""A secret of the plugins that have no `auth_token`."""


@pytest.fixture(params=BOOLEANS)
def name(request):
    return request.param


@pytest.fixture
def run(name):
    """Runs a plugin with these settings in variables; returns its error lines."""

    def run(**settings):
        variables = {variable(name, setting): value for setting, value in settings.items()}
        ended = commands.run(name, "--config", "ENV", env={**os.environ, **variables})
        return errors(ended)

    return run


def variable(name, setting):
    return f"{name}_{setting}".replace("-", "_").upper()


def errors(ended):
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if "| ERROR" in line]
    return [line.rsplit(" | ", 1)[-1] for line in lines]


@pytest.mark.parametrize("value", ["ja", "Y", "true ", '"true"', "", "2"])
def test_a_variable_that_is_neither_true_nor_false_is_an_error(name, run, value):
    line = f"{variable(name, BOOLEANS[name])} must be true or false"
    assert run(**{BOOLEANS[name]: value}) == [line]


@pytest.mark.parametrize("value", ["true", "Yes", "ON", "1", "False", "no", "off", "0"])
def test_true_and_false_may_be_written_as_usual(name, run, value):
    assert not [line for line in run(**{BOOLEANS[name]: value}) if "true or false" in line]


def test_a_variable_that_is_not_a_number_is_an_error(name, run):
    line = f"{variable(name, 'retry_seconds')} must be a whole number"
    assert run(retry_seconds="hemmelig") == [line]


def test_a_variable_that_is_not_json_is_an_error_without_its_value(name, run):
    (line,) = run(stream_maps='{hemmelig: "x"}')
    assert line.startswith(f"{variable(name, 'stream_maps')} must be an object of names and values")
    assert "line 1 column 2" in line
    assert "hemmelig" not in line


def test_a_variable_that_is_not_a_setting_is_an_error_with_the_right_name_and_no_value(name, run):
    secret = SECRETS.get(name, "auth_token")
    misspelt, right = variable(name, f"{secret}s"), variable(name, secret)
    line = f"There is no setting for the variable {misspelt}; did you mean {right}?"
    assert run(**{f"{secret}s": "hemmelig"}) == [line]


KEYS = (
    "7f3e0c56-9d1a-4c88-a1b2-3c4d5e6f7a8b",
    "c2VjcmV0LWtleS1vZi1hLXNob3A9PQ==",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
    "4f9d2c7b1e8a4f9d2c7b1e8a",
)
"""What keys look like."""


@pytest.mark.parametrize("key", [KEYS[0], KEYS[2], KEYS[3]])
def test_a_key_instead_of_a_variables_name_is_not_shown(name, run, key):
    (line,) = run(**{key: "hemmelig"})
    assert "There is no setting for the variable that begins with" in line
    assert "its name is not shown" in line
    assert key.upper() not in line


@pytest.mark.parametrize("key", KEYS)
def test_a_key_instead_of_a_settings_name_is_not_shown(name, tmp_path, key):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({key: "hemmelig", "shop_names": "x"}))
    ended = commands.run(name, "--config", path)
    assert any("its name is not shown" in line for line in errors(ended))
    assert "shop_names" in ended.stderr
    assert key not in ended.stderr


@pytest.mark.parametrize("key", [KEYS[0], KEYS[1], KEYS[3]])
def test_a_key_instead_of_a_config_file_is_not_shown(name, key):
    ended = commands.run(name, "--config", key)
    (line,) = errors(ended)
    assert line.startswith("--config: the file that is named cannot be read")
    assert key not in ended.stderr


@pytest.mark.parametrize("key", [KEYS[0], KEYS[1], KEYS[3]])
@pytest.mark.parametrize("setting", ["link_store", "changes_file"])
@pytest.mark.parametrize("target", ["target-powerofficego", "target-customwebshop"])
def test_a_key_instead_of_a_path_is_not_shown(tmp_path, target, setting, key):
    needed = {"api_url": "http://127.0.0.1:9/v2", "shop_name": "x", "auth_token": "x"}
    if target == "target-powerofficego":
        keys = dict.fromkeys(("application_key", "client_key", "subscription_key"), "x")
        needed |= {**keys, "environment": "custom", "token_url": "http://127.0.0.1:9/t"}
        del needed["auth_token"]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**needed, setting: key}))
    ended = commands.run(target, "--config", path, cwd=tmp_path)
    assert [line.split(" looks like a key")[0] for line in errors(ended)] == [setting]
    assert key not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_key_instead_of_the_link_store_is_not_shown_by_the_links_command():
    ended = commands.run("powerofficego-links", "--link-store", KEYS[0], "check")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: link_store looks like a key and is not shown")
    assert KEYS[0] not in ended.stderr


STATES = (
    '{"bookmarks": []}',
    '{"bookmarks": null}',
    '{"bookmarks": {"customers": 5}}',
    '{"bookmarks": {"customers": null}}',
    '{"bookmarks": {"customers": {"partitions": 5}}}',
    '{"bookmarks": {"customers": {"partitions": [5]}}}',
    '{"bookmarks": {"customers": {"progress_markers": 5}}}',
    "[" * 100_000,
)


@pytest.mark.parametrize("state", STATES, ids=lambda text: text[:60])
@pytest.mark.parametrize("tap", [name for name in BOOLEANS if name.startswith("tap")])
def test_a_state_file_that_is_not_a_state_is_an_error(tmp_path, tap, state):
    path = tmp_path / "state.json"
    path.write_text(state)
    (line,) = errors(commands.run(tap, "--state", path))
    assert line.startswith("--state: the file is not a state, which is one JSON object")


@pytest.mark.parametrize("words", [["--about"], ["--discover"]], ids=" ".join)
@pytest.mark.parametrize("is_full", [True, False])
def test_output_to_a_full_disk_or_closed_is_one_line(name, words, is_full):
    if words == ["--discover"] and name.startswith("target"):
        words = ["--about", "--format", "json"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [commands.script(name), *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=None if is_full else lambda: os.close(1),
        )
    (line,) = [line for line in ended.stderr.splitlines() if "| ERROR" in line]
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    error = "The output cannot be written: No space left" if is_full else "output is closed"
    assert error in line


def test_all_errors_are_reported_at_once(run):
    assert len(run(retry_seconds="x", stream_maps="x", retry_second="1")) == 3


def test_variables_of_meltano_and_the_sdk_are_ignored(name, run):
    lines = run(_select='["*.*"]', _catalog="catalog.json", loglevel="INFO")
    assert lines
    assert not [line for line in lines if variable(name, "") in line]


def test_without_config_env_no_variable_is_read(name):
    variables = {variable(name, BOOLEANS[name]): "ja", variable(name, "x"): "x"}
    ended = commands.run(name, env={**os.environ, **variables})
    assert not [line for line in errors(ended) if variable(name, "") in line]


@pytest.mark.parametrize("text", ["[1]", "[]", '"x"', "null"])
def test_a_config_file_that_is_not_an_object_is_an_error(name, tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    (line,) = errors(commands.run(name, "--config", path))
    assert line.startswith(f"--config: {path} must contain an object of settings")


def test_an_empty_path_of_a_config_file_is_an_error(name):
    (line,) = errors(commands.run(name, "--config", ""))
    assert line.startswith("--config: ")


def test_a_key_instead_of_any_other_setting_is_not_shown(name, tmp_path):
    about = json.loads(commands.run(name, "--about", "--format", "json").stdout)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict.fromkeys(about["settings"]["properties"], "hemmelig")))
    ended = commands.run(name, "--config", path)
    assert errors(ended)
    assert "hemmelig" not in ended.stderr


def test_a_name_in_a_config_file_controls_no_terminal(name, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"\\u001b[2J\\u202ex\\n": 1}')
    ended = commands.run(name, "--config", path)
    assert errors(ended)
    assert ended.stderr.replace("\n", "").isprintable()


def test_help_explains_what_a_plugin_does_and_where_to_read_more(name):
    text = " ".join(commands.run(name, "--help").stdout.split())
    assert "PowerOffice Go" in text or "web shop" in text
    assert "--about lists its settings, and README.md explains it." in text


@pytest.mark.parametrize("package", ["tap_customwebshop", "target_powerofficego"])
def test_an_exported_variable_overrides_a_dotenv_file(package, tmp_path, monkeypatch):
    dotenv = tmp_path / ".env"
    dotenv.write_text("SHOP_API_URL=https://old.example.com\nSHOP_SHOP_NAME=myshop\n", "utf-8")
    monkeypatch.setattr(_dict_config, "find_dotenv", lambda: str(dotenv))
    monkeypatch.setattr(os, "environ", {**os.environ, "SHOP_API_URL": "https://new.example.com"})
    schema = {"properties": {"api_url": {"type": "string"}, "shop_name": {"type": "string"}}}

    settings = importlib.import_module(f"{package}.plugin.environment").settings_from_environment(
        schema, "SHOP_"
    )

    assert settings == {"api_url": "https://new.example.com", "shop_name": "myshop"}


def test_a_config_that_is_a_pipe_is_an_error(tmp_path):
    target = commands.script("target-powerofficego")
    ended = subprocess.run(
        ["bash", "-c", f"{target} --config <(echo '{{}}')"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "is not a file, but for example a pipe, which can be read only once" in ended.stderr
    assert "Traceback" not in ended.stderr
