"""Run the project's own code in a child process, so that the caller always gets an answer or the reason for none.

A function and its requests go in; its answers (JSON values) come out, with what the code printed. If the code ends its
process (even with success), hangs, crashes or forks, an UnansweredError is raised. What it prints never reaches our own
output. The child is a fork, with this process's modules, paths and environment: a new interpreter would have to import
everything again. Standard library only; clock_file and project define the requests.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
import warnings
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NoReturn, Self

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 60.0  # seconds for one answer; code that takes longer to import waits for something
MAX_OUTPUT = 20_000  # bytes that are kept of what one request printed: its end
END_TIMEOUT = 2.0  # seconds for a hanging child to print its stack, and for one that closed its connection to exit
# In a stack that faulthandler printed: everything from our first frame on.
_OWN_FRAMES = re.compile(
    r"(?<=most recent call first\):\n)((?:  File .*\n)*?)"
    rf'  File "{re.escape(str(Path(__file__).parent))}/(?:clock_file|project|project_process|run/.*)\.py"(?s:.*)'
)
_CHUNK, _MAX_CHUNKS = 1 << 16, 64  # bytes; how many are read at once of an output that may have no end


class UnansweredError(ScheduledTasksError):
    """The project's code gave no answer.

    Attributes:
        problem: what it did instead.
        output: what it printed, and the stack if it hung or crashed.
    """

    exit_code = 65

    def __init__(self, problem: str, output: str) -> None:
        self.problem, self.output = problem, output
        super().__init__(f"{problem}; it printed:\n{output}" if output else problem)


class ProjectProcess:
    """A child process that answers requests; after a request without an answer the next one gets a new child."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer
        self._pid = 0
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, request: Any = None) -> tuple[Any, str]:
        """The answer to a request, and what was printed meanwhile.

        Raises:
            ConfigurationError: the function raises one of our own errors.
            UnansweredError: there is no answer within TIMEOUT.
        """
        is_new = not self._pid
        if is_new:
            self._start()
        self._kept, reply = b"", b""
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            reply = self._receive(time.monotonic() + TIMEOUT)
        except TimeoutError:
            raise UnansweredError(f"doesn't end within {TIMEOUT:g} s", self._stack()) from None
        except ConnectionError:
            problem = self._end_of_child()
            if is_new:
                raise UnansweredError(problem, self._output()) from None
        finally:
            if not reply:
                self._end()
        if not reply:  # a thread of an earlier request may have ended the child: ask a new one
            return self.ask(request)
        answered = json.loads(reply)
        if "refused" in answered:
            raise ConfigurationError(answered["refused"])
        if "problem" in answered:
            raise UnansweredError(answered["problem"], self._output())
        return answered["answer"], self._output()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._printed, printing = os.pipe()
        os.set_blocking(self._printed, False)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or the child would have a copy of what waits in them
        with warnings.catch_warnings():
            # Python 3.12 warns of forks with threads: pytest-xdist has some, and none of them holds a lock for long.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                self._socket.close()
                _serve(theirs, printing, self._answer)
            except BaseException:  # noqa: BLE001 - such as a closed connection; nothing of it may reach the caller
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(1)
        self._pid = pid
        theirs.close()
        os.close(printing)

    def _receive(self, deadline: float) -> bytes:
        """Read a reply up to its line break, and what is printed meanwhile."""
        reply = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._printed, selectors.EVENT_READ)
            while not reply.endswith(b"\n"):
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError
                ready = [key.fd for key, _ in selector.select(left)]
                if self._printed in ready and not self._read_output():
                    selector.unregister(self._printed)  # nobody can print any more
                if self._socket.fileno() in ready:
                    data = self._socket.recv(_CHUNK)
                    if not data:
                        raise ConnectionResetError
                    reply += data
        self._read_output()
        return bytes(reply)

    def _read_output(self, most: int = _CHUNK * _MAX_CHUNKS) -> bool:
        """Take what was printed, without waiting, at most so many bytes; False at its end."""
        for _ in range(0, most, _CHUNK):
            try:
                data = os.read(self._printed, min(most, _CHUNK))
            except BlockingIOError:
                break
            if not data:
                return False
            self._kept = (self._kept + data)[-MAX_OUTPUT:]
        return True

    def _output(self) -> str:
        return _OWN_FRAMES.sub(r"\1", self._kept.decode(errors="backslashreplace")).strip()

    def _stack(self) -> str:
        """Make a hanging child print its stack; return it."""
        self._read_output()
        self._kept = b""
        os.kill(self._pid, signal.SIGUSR1)
        with selectors.DefaultSelector() as selector:
            selector.register(self._printed, selectors.EVENT_READ)
            # Its last frames are ours; "..." is at the end of one that is too long. Read in small parts, because what a
            # child prints after its stack would push it out of what is kept.
            while not re.search(rb'project_process\.py", line|^  \.\.\.$', self._kept, re.MULTILINE):
                if not selector.select(END_TIMEOUT) or not self._read_output(MAX_OUTPUT // 4):
                    break
        return self._output()

    def _end_of_child(self) -> str:
        """Describe how a child that has closed its connection ended."""
        deadline = time.monotonic() + END_TIMEOUT
        while not os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            if time.monotonic() > deadline:
                return "closes descriptors that aren't its own"
            time.sleep(0.001)
        self._read_output()
        code = self._end()
        return f"is killed by {signal.Signals(-code).name}" if code < 0 else f"ends its process with exit code {code}"

    def _end(self) -> int:
        """End the child and what it has started; return its exit code, negative for a signal."""
        if not self._pid:
            return 0
        pid, self._pid = self._pid, 0
        self._socket.close()
        os.close(self._printed)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not become the leader of its group yet
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ask_project(answer: Callable[[], Any], source: str) -> Any:
    """Call a function that executes the project's own code in a child process; return its JSON value.

    Raises:
        ConfigurationError: the function raises one of our errors, or the code lets it give no answer; `source` names
            the code.
    """
    with ProjectProcess(lambda _request: answer()) as process:
        try:
            answered, printed = process.ask()
        except UnansweredError as error:
            raise ConfigurationError(f"{source}: the code {error}") from error
    if printed:
        note(f"{source}: the code printed:\n{indent(printed, '    ')}")
    return answered


def note(text: str) -> None:
    """Tell the user what the project's code printed; standard output is for our own results."""
    sys.stderr.write(f"{text}\n")


def _serve(connection: socket.socket, printing: int, answer: Callable[[Any], Any]) -> NoReturn:
    """The child: answer requests until there are no more."""
    os.setsid()  # what it starts can be killed with it, and Ctrl-C reaches only the parent
    _redirect(printing)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(signum, signal.SIG_DFL)
    faulthandler.enable(2)
    faulthandler.register(signal.SIGUSR1, 2, all_threads=False)
    forks: list[str] = []
    own, descriptor = os.getpid(), connection.fileno()
    os.register_at_fork(after_in_parent=lambda: forks.append(_forked_at()), after_in_child=lambda: os.close(descriptor))
    for line in connection.makefile("rb"):
        signal.alarm(int(2 * TIMEOUT))  # nobody else ends this process if the parent is killed
        try:
            reply = {"answer": answer(json.loads(line))}
        except ScheduledTasksError as error:
            reply = {"refused": str(error)}
        except BaseException as error:  # noqa: BLE001 - the project's code raises what it wants
            traceback.print_exc()
            reply = {"problem": f"raises {type(error).__name__}: {error}"}
        if os.getpid() != own:
            os._exit(0)  # a copy that the code made; the original answers
        if places := [place for place in forks if place]:
            reply = {"problem": f"starts a copy of its process, os.fork at {places[0]}"}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        connection.sendall(json.dumps(reply).encode() + b"\n")
        signal.alarm(0)
        forks.clear()
    os._exit(0)


def _redirect(printing: int) -> None:
    """Make a pipe the standard output and standard error, for Python and for the libraries below it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printing, 1), (printing, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def _forked_at() -> str:
    """Where os.fork was called; "" for multiprocessing, whose processes never come back to us."""
    frame = sys._getframe(2)  # noqa: SLF001 - behind the function that is registered
    if str(frame.f_globals.get("__name__")).startswith("multiprocessing."):
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
