"""The parent process: binds, starts the ledger and the workers, keeps them up.

It runs no event loop and opens no store, so that a fork is safe: LMDB, TLS
contexts and loops are all made in the children (DESIGN section 5). What it loads
before the fork, the catalogue, the workers share.

Ends: SIGTERM or SIGINT stops in order (workers drain, then the ledger). SIGHUP
makes the workers read the policies again. A child that dies is started again, up to
`_RESTARTS_MAX` times a minute, and a ledger verifies its log as it starts; what cannot
be brought up ends the gateway with the child's exit code.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from gatekeep import limits
from gatekeep.audit.ledger import run_ledger
from gatekeep.aws.catalogue import load_catalogue
from gatekeep.errors import FatalError, GatekeepError, OperatorError
from gatekeep.gateway.worker import run_worker
from gatekeep.settings import Settings
from gatekeep.store import make_directory

log = structlog.get_logger()

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_PR_SET_PDEATHSIG = 1
_RESTARTS_MAX = 5
"""Restarts of one child within a minute before the gateway gives up."""


@dataclass(slots=True)
class _Child:
    """A process of ours and how to make it again."""

    name: str
    run: Callable[[int], None]
    pid: int = 0
    ready_fd: int = -1
    started: tuple[float, ...] = ()


def serve(settings: Settings, config_path: Path) -> int:
    """Run the gateway until it is told to stop; give the exit code.

    Raises:
        OperatorError: a listen address, a file or a setting does not hold.
        FatalError: a child could not be kept up.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    # Before anything else can make it with wider permissions.
    make_directory(settings.gateway.state_directory)
    catalogue = load_catalogue(settings.catalogue_path)
    listeners = [
        _bind(settings.gateway.listen, shared=settings.gateway.workers > 1)
        for _ in range(settings.gateway.workers)
    ]
    plain = (
        _bind(settings.gateway.plain_listen, shared=False, loopback=True)
        if settings.gateway.plain_listen
        else None
    )

    def worker(index: int) -> Callable[[int], None]:
        return lambda ready_fd: run_worker(
            settings,
            catalogue=catalogue,
            listener=listeners[index],
            plain_listener=plain if index == 0 else None,
            ready_fd=ready_fd,
        )

    ledger = _Child("ledger", lambda ready_fd: run_ledger(settings, ready_fd=ready_fd))
    workers = [_Child(f"worker {i}", worker(i)) for i in range(len(listeners))]
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    children = [ledger]
    try:
        _start(ledger)
        for child in workers:
            children.append(child)
            _start(child, wait=False)
        for child in workers:
            _await_ready(child)
        log.info("ready", listen=settings.gateway.listen, config=str(config_path))
        _notify_systemd("READY=1")
        return _watch(ledger, workers)
    finally:
        _stop([child for child in children if child is not ledger])
        _stop([ledger])
        for listener in [*listeners, *([plain] if plain else [])]:
            listener.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _watch(ledger: _Child, workers: list[_Child]) -> int:
    """Keep the children up until a signal says stop; give the exit code."""
    while True:
        received = signal.sigwait(_SIGNALS)
        if received in (signal.SIGTERM, signal.SIGINT):
            log.info("stopping", signal=signal.Signals(received).name)
            _notify_systemd("STOPPING=1")
            return 0
        if received == signal.SIGHUP:
            for child in workers:
                os.kill(child.pid, signal.SIGHUP)
            continue
        for child in (ledger, *workers):
            code = _reap(child)
            if code is None:
                continue
            log.error("child ended", child=child.name, exit_code=code)
            recent = [at for at in child.started if at > time.monotonic() - 60]
            if len(recent) >= _RESTARTS_MAX:
                raise FatalError(
                    "gateway.child_ends",
                    f"the {child.name} ended {len(recent)} times within a minute",
                )
            _start(child)


def _start(child: _Child, *, wait: bool = True) -> None:
    """Fork a child; with ``wait``, return once it says that it is ready."""
    read_fd, write_fd = os.pipe()
    child.started = (*child.started[-_RESTARTS_MAX:], time.monotonic())
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child.pid = os.fork()
    if child.pid == 0:
        os.close(read_fd)
        _run_child(child, write_fd, parent)
    os.close(write_fd)
    child.ready_fd = read_fd
    if wait:
        _await_ready(child)


def _run_child(child: _Child, ready_fd: int, parent: int) -> None:
    """The child's whole life; never returns."""
    code = 70
    try:
        # A gateway that is killed outright must not leave children behind.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(0)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # The terminal's Ctrl-C goes to the group; the parent stops us in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        child.run(ready_fd)
        code = 0
    except OperatorError as error:
        print(f"gatekeep: {error}", file=sys.stderr)
        code = 2
    except GatekeepError as error:
        print(f"gatekeep: {child.name}: {error}", file=sys.stderr)
    except BaseException:
        log.exception("child failed", child=child.name)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _await_ready(child: _Child) -> None:
    """Return once the child wrote its byte; raise when it ended instead."""
    readable, _, _ = select.select([child.ready_fd], [], [], limits.START_TIMEOUT_S)
    ready = bool(readable) and os.read(child.ready_fd, 1) != b""
    os.close(child.ready_fd)
    child.ready_fd = -1
    if ready:
        return
    if readable:
        _, status = os.waitpid(child.pid, 0)
        child.pid = 0
        code = os.waitstatus_to_exitcode(status)
    else:
        code = 70
    if code == 2:
        raise OperatorError(
            "gateway.start", f"the {child.name} cannot start; see the line above"
        )
    raise FatalError("gateway.start", f"the {child.name} did not start (exit {code})")


def _reap(child: _Child) -> int | None:
    """The exit code of a child that ended, None while it runs."""
    if child.pid == 0:
        return None
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return None
    child.pid = 0
    return os.waitstatus_to_exitcode(status)


def _stop(children: list[_Child]) -> None:
    """Ask children to stop; kill what is left after the drain time."""
    for child in children:
        if child.pid:
            os.kill(child.pid, signal.SIGTERM)
    until_s = time.monotonic() + limits.DRAIN_TIMEOUT_S + 5
    for child in children:
        while child.pid and _reap(child) is None:
            if time.monotonic() > until_s:
                log.error("child killed", child=child.name)
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0
                break
            signal.sigtimedwait([signal.SIGCHLD], 0.2)


def _bind(address: str, *, shared: bool, loopback: bool = False) -> socket.socket:
    """A listening socket on ``address:port``.

    Args:
        address: ``host:port``; ``[::1]:8443`` for IPv6.
        shared: several workers bind it (SO_REUSEPORT).
        loopback: refuse an address that others can reach.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if loopback and host not in ("127.0.0.1", "::1", "localhost"):
        raise OperatorError(
            "gateway.plain_listen",
            f"gateway.plain_listen: `{address}` is not a loopback address;"
            " without TLS anyone on the way could read what agents send",
        )
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(place)
        listener.listen(1024)
        listener.setblocking(False)
    except (OSError, ValueError) as error:
        raise OperatorError(
            "gateway.listen", f"cannot listen on `{address}`: {error}"
        ) from error
    return listener


def _notify_systemd(state: str) -> None:
    """Tell systemd (``Type=notify``) how we are, when it started us."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + path[1:] if path.startswith("@") else path)
        notify.send(state.encode())
