"""The rooms of the packages: imports only go down, and never in a circle."""

import ast

import pytest

PACKAGES = {
    "tap_customwebshop": "tap-customwebshop",
    "target_powerofficego": "target-powerofficego",
    "tap_powerofficego": "tap-powerofficego",
    "target_customwebshop": "target-customwebshop",
    "go_sandbox": "sandbox",
}

TOP = ""
ROOMS = (
    TOP,
    "links_command",
    "sync.orders",
    "sync.payments",
    "sync",
    "sync.go",
    "notices",
    "settle",
    "settings",
    "store",
    "decisions",
    "dataflow",
    "go_api",
    "shared",
    "plugin",
)
"""The rooms of target-powerofficego, each above those that it is allowed to import."""
SHARED = ("database_address", "errors")


@pytest.fixture(scope="module")
def imports(project):
    """The modules of the project that each of its modules imports, including those for types."""
    files = {
        _name(path.relative_to(project / folder)): path
        for package, folder in PACKAGES.items()
        for path in (project / folder / package).rglob("*.py")
    }
    return {name: _imported(name, path, files) for name, path in files.items()}


def _name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name, path, files):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = name.split(".")[: -node.level] if node.level else []
            module = ".".join([*package, *filter(None, [node.module])])
            members = {f"{module}.{alias.name}" for alias in node.names}
            imported |= {member if member in files else module for member in members}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    return (imported & files.keys()) - {name}


def room_of(name):
    """Return the index in `ROOMS` of the room of a module of target-powerofficego."""
    inside = name.partition(".")[2]
    if inside in SHARED:
        return ROOMS.index("shared")
    rooms = [room for room in ROOMS if room and f"{inside}.".startswith(f"{room}.")]
    return ROOMS.index(max(rooms, key=len, default=TOP))


def test_a_room_imports_only_rooms_below_it(imports):
    upwards = [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if name.startswith("target_powerofficego") and other.startswith("target_powerofficego.")
        if room_of(name) > room_of(other)
    ]
    assert upwards == []


def test_no_module_imports_itself_through_others(imports):
    def reached_from(start):
        reached: set[str] = set()
        pending = [start]
        while pending:
            for other in imports[pending.pop()] - reached:
                reached.add(other)
                pending.append(other)
        return reached

    assert [name for name in imports if name in reached_from(name)] == []


def test_each_room_has_a_docstring(project):
    package = project / "target-powerofficego" / "target_powerofficego"
    for room in ROOMS[1:]:
        if room == "shared":
            continue
        text = (package / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
        assert len(ast.get_docstring(ast.parse(text)) or "") > 40, room
