"""Runs the project's commands, each in a process of its own that need not import them first.

A process that has imported all of them forks one for each start, in a tenth of the time that Python
takes to start. Commands behave the same, and can be signalled and killed like any other process.
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
from concurrent.futures import ThreadPoolExecutor
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
"""What they import only when it is needed, besides the commands of `powerofficego-links`."""
_LENGTH_BYTES = 4
_LONGEST_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """The exit status and the output of a command, named as in `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """A running command with its three streams open; the test ends it, or waits for its end."""

    def __init__(self, name: str, *arguments: object, **places: Any) -> None:
        with contextlib.ExitStack() as stack:
            streams = [os.pipe() for _ in range(3)]
            reports, reporter = os.pipe()
            descriptors = [streams[0][0], streams[1][1], streams[2][1], reporter]
            for descriptor in descriptors:
                stack.callback(os.close, descriptor)
            _loaded().start(name, *map(str, arguments), descriptors=descriptors, **places)
        self.stdin: IO[str] = os.fdopen(streams[0][1], "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(streams[1][0], encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(streams[2][0], encoding="utf-8")
        self._reports = os.fdopen(reports, encoding="utf-8")
        self._lock = threading.Lock()
        self.returncode: int | None = None
        self.pid = int(self._reports.readline())

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self._close()

    def communicate(self, given: str = "", timeout: float = _LONGEST_SECONDS) -> tuple[str, str]:
        """Write its input, and return what it printed; it is killed at the time-out."""
        watchdog = threading.Timer(timeout, self.kill)
        watchdog.start()
        with ThreadPoolExecutor() as threads:
            written = threads.submit(self._write, given)
            output, log = threads.map(lambda stream: stream.read(), (self.stdout, self.stderr))
        written.result()
        self.wait()
        watchdog.cancel()
        self._close()
        return output, log

    def wait(self, timeout: float = _LONGEST_SECONDS) -> int:
        """Wait for its end and return its exit status, minus the signal's number if one ended it.

        It is killed at the time-out.
        """
        watchdog = threading.Timer(timeout, self.kill)
        watchdog.start()
        with self._lock:
            if self.returncode is None:
                self.returncode = int(self._reports.readline())
                self._reports.close()
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

    def _write(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.stdin.write(text)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()

    def _close(self) -> None:
        self.stdout.close()
        self.stderr.close()
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()


def script(name: str) -> str:
    """Return the path of a command, for a test that starts it itself, such as on a terminal."""
    return str(Path(sys.executable).with_name(name))


def run(name: str, *arguments: object, given: str = "", **places: Any) -> Ended:
    """Run a command to its end."""
    command = Command(name, *arguments, **places)
    output, log = command.communicate(given)
    return Ended(command.wait(), output, log)


def run_here(name: str, *arguments: object, given: str = "") -> Ended:
    """Run a command to its end in this process, for tests of its input and output only."""
    (script,) = entry_points(group="console_scripts", name=name)
    main, line = script.load(), [name, *map(str, arguments)]
    stdin, output, log = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(3))
    stdin.write(given)
    stdin.seek(0)
    streams: dict[str, Any] = {"stdin": stdin, "stdout": output, "stderr": log}
    try:
        with _restored_logging(), mock.patch.multiple(sys, argv=line, **streams):
            status = main()
    except SystemExit as end:
        status = end.code
    output.seek(0)
    log.seek(0)
    return Ended(status or 0, output.read(), log.read())


@contextlib.contextmanager
def _restored_logging() -> Iterator[None]:
    """Undo what a command sets up for the log of its process."""
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
    """The process that has imported the commands; it ends with this one."""

    def __init__(self) -> None:
        self._socket, other_end = socket.socketpair()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(other_end.fileno())], pass_fds=[other_end.fileno()]
        )
        other_end.close()
        atexit.register(self.end)

    def end(self) -> None:
        """End it; the commands that it started run on."""
        self._socket.close()
        self._process.wait()

    def start(
        self,
        *line: str,
        descriptors: list[int],
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start a command.

        Args:
            line: Its name and arguments.
            descriptors: Its input, output and log, and where its id and exit status are reported.
            cwd: Its folder; None: that of this process.
            env: Its environment; None: that of this process.
        """
        request = json.dumps([line, str(cwd or Path.cwd()), dict(env or os.environ)]).encode()
        length = len(request).to_bytes(_LENGTH_BYTES, "big")
        with self._lock:
            socket.send_fds(self._socket, [length], descriptors)
            self._socket.sendall(request)


@functools.cache
def _loaded() -> _Loaded:
    return _Loaded()


def _serve(requests: socket.socket) -> Callable[[], str | int | None]:
    """Fork a process for each requested command; return in that process, with what to run."""
    scripts = {script.name: script for script in entry_points(group="console_scripts")}
    for name in _SCRIPTS:
        importlib.import_module(scripts[name].module)
    for name in _LOADED_LATER:
        importlib.import_module(name)
    for command in scripts["powerofficego-links"].load().commands.values():
        assert command.loaded
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        length, descriptors, _, _ = socket.recv_fds(requests, _LENGTH_BYTES, 4)
        if not length:
            os._exit(0)
        request = b""
        while len(request) < int.from_bytes(length, "big"):
            request += requests.recv(int.from_bytes(length, "big") - len(request))
        if not _fork(descriptors[3]):
            for descriptor in descriptors:
                os.close(descriptor)
            continue
        requests.close()
        (name, *arguments), folder, variables = json.loads(request)
        _become(descriptors, [name, *arguments], folder, variables)
        return scripts[name].load()


def _fork(reporter: int) -> bool:
    """Fork a process for a command, and one that reports its id and exit status.

    Returns:
        True in the command's process, false in this one.
    """
    if os.fork():
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        return True
    os.dup2(reporter, 0)
    os.closerange(1, os.sysconf("SC_OPEN_MAX"))
    os.write(0, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(0, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(
    descriptors: list[int], line: list[str], folder: str, variables: dict[str, str]
) -> None:
    """Make this process the one of a command."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
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
