"""Runs the project's commands, each in a process of its own, without loading them anew each time.

A process that has loaded all of them forks one for each start: a tenth of the work of starting
Python. What a command does is the same, and it can be signalled and killed like any other.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCRIPTS = (
    *("tap-customwebshop", "target-powerofficego", "tap-powerofficego"),
    *("target-customwebshop", "powerofficego-links"),
)
_LOADED_LATER = (
    *("target_powerofficego.start_up", "target_customwebshop.start_up"),
    "target_powerofficego.links_command.reconciliation.reconciling",
    "phonenumbers",
)
"""What they load only once there is work for it, besides the commands of `powerofficego-links`."""
_LENGTH_BYTES = 4
_LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """What a command that ended said and came to; named as the standard library names it."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """A running command, with its three streams open; the test ends it, or waits for its end."""

    def __init__(self, name: str, *arguments: object, **places: Any) -> None:
        with contextlib.ExitStack() as stack:
            streams = [os.pipe() for _ in range(3)]
            told, tells = os.pipe()
            given = [streams[0][0], streams[1][1], streams[2][1], tells]
            for descriptor in given:
                stack.callback(os.close, descriptor)
            _loaded().start(name, *map(str, arguments), descriptors=given, **places)
        self.stdin: IO[str] = os.fdopen(streams[0][1], "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(streams[1][0], encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(streams[2][0], encoding="utf-8")
        self._told = os.fdopen(told, encoding="utf-8")
        self._lock = threading.Lock()
        self.returncode: int | None = None
        self.pid = int(self._told.readline())

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self._close()

    def communicate(self, given: str = "", timeout: float = _LONGEST_SECONDS) -> tuple[str, str]:
        """Give it its whole input, and return what it printed until it ended, or was killed."""
        said: dict[IO[str], str] = {}
        readers = [
            threading.Thread(target=lambda one=one: said.update({one: one.read()}))
            for one in (self.stdout, self.stderr)
        ]
        writer = threading.Thread(target=self._give, args=(given,))
        for one in (*readers, writer):
            one.start()
        watchdog = threading.Timer(timeout, self.kill)
        watchdog.start()
        for one in (*readers, writer):
            one.join()
        self.wait()
        watchdog.cancel()
        self._close()
        return said[self.stdout], said[self.stderr]

    def wait(self, timeout: float = _LONGEST_SECONDS) -> int:
        """Return its exit status once it ended, below zero for the signal that ended it.

        It is killed when it takes longer than the time-out.
        """
        watchdog = threading.Timer(timeout, self.kill)
        watchdog.start()
        with self._lock:
            if self.returncode is None:
                self.returncode = int(self._told.readline())
                self._told.close()
        watchdog.cancel()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _give(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.stdin.write(text)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()

    def _close(self) -> None:
        for one in (self.stdout, self.stderr):
            one.close()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()


def script(name: str) -> str:
    """Return the file of a command, for a test that starts it anew: on a terminal, say."""
    return str(Path(sys.executable).with_name(name))


def run(name: str, *arguments: object, given: str = "", **places: Any) -> Ended:
    """Run a command to its end."""
    command = Command(name, *arguments, **places)
    output, log = command.communicate(given)
    return Ended(command.wait(), output, log)


def run_here(name: str, *arguments: object, given: str = "") -> Ended:
    """Run a command line to its end in this process.

    For what it reads and says; what only a process of its own shows is left out.
    """
    (script,) = entry_points(group="console_scripts", name=name)
    start, line = script.load(), [name, *map(str, arguments)]
    stdin, output, log = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(3))
    stdin.write(given)
    stdin.seek(0)
    streams: dict[str, Any] = {"stdin": stdin, "stdout": output, "stderr": log}
    try:
        with _logging_afterwards_as_before(), mock.patch.multiple(sys, argv=line, **streams):
            status = start()
    except SystemExit as end:
        status = end.code
    for one in (output, log):
        one.seek(0)
    return Ended(status or 0, output.read(), log.read())


@contextlib.contextmanager
def _logging_afterwards_as_before() -> Iterator[None]:
    """Take back what a command sets up for the log of its process."""
    root, records, hook = logging.getLogger(), logging.getLogRecordFactory(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.setLogRecordFactory(records)
        sys.excepthook = hook


class _Loaded:
    """The process that has loaded the commands; it ends with this one."""

    def __init__(self) -> None:
        self._socket, its = socket.socketpair()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())], pass_fds=[its.fileno()]
        )
        its.close()
        atexit.register(self.end)

    def end(self) -> None:
        """Let it go; what it started goes on to its own end."""
        self._socket.close()
        self._process.wait()

    def start(
        self,
        *line: str,
        descriptors: list[int],
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start a command with these as its input, output and log; its end is told to the last."""
        wish = json.dumps([line, str(cwd or Path.cwd()), dict(env or os.environ)]).encode()
        with self._lock:
            socket.send_fds(self._socket, [len(wish).to_bytes(_LENGTH_BYTES, "big")], descriptors)
            self._socket.sendall(wish)


@functools.cache
def _loaded() -> _Loaded:
    return _Loaded()


def _serve(wishes: socket.socket) -> Callable[[], str | int | None]:
    """Fork a process for each wish; return in it, with what is to be run."""
    scripts = {one.name: one for one in entry_points(group="console_scripts")}
    for name in _SCRIPTS:
        importlib.import_module(scripts[name].module)
    for name in _LOADED_LATER:
        importlib.import_module(name)
    for command in scripts["powerofficego-links"].load().commands.values():
        assert command.loaded
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        length, descriptors, _, _ = socket.recv_fds(wishes, _LENGTH_BYTES, 4)
        if not length:
            os._exit(0)
        wish = b""
        while len(wish) < int.from_bytes(length, "big"):
            wish += wishes.recv(int.from_bytes(length, "big") - len(wish))
        is_command = _fork(descriptors[3])
        if not is_command:
            for one in descriptors:
                os.close(one)
            continue
        wishes.close()
        (name, *arguments), folder, variables = json.loads(wish)
        _become(descriptors, [name, *arguments], folder, variables)
        return scripts[name].load()


def _fork(tells: int) -> bool:
    """Fork a process for a command, and one that waits for its end; true in the former."""
    if os.fork():
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        return True
    os.dup2(tells, 0)
    os.closerange(1, os.sysconf("SC_OPEN_MAX"))
    os.write(0, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(0, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(
    descriptors: list[int], line: list[str], folder: str, variables: dict[str, str]
) -> None:
    for number, one in enumerate(descriptors[:3]):
        os.dup2(one, number)
    for one in descriptors:
        os.close(one)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = io.TextIOWrapper(
        os.fdopen(2, "wb", buffering=0, closefd=False),
        encoding="utf-8",
        errors="backslashreplace",
        write_through=True,
    )
    sys.argv = line
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1])))())
