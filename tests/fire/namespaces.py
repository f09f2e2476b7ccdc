"""Members in network namespaces of their own: one bridge between them, links that can be cut, peers that go unheard.

A namespace has one address, on a bridge without any; the test reaches a member's RPC by a relay that listens on this
machine's loopback and connects inside the namespace.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import selectors
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLONE_NEWNET = 0x40000000
"""From `linux/sched.h`."""
LOCAL = "127.0.0.1"
CHUNK_BYTES = 65_536
_COUNTER = itertools.count(1)


def run(*command: str, text: str | None = None) -> None:
    """Run a command of the system; raises `RuntimeError` with what it said."""
    answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)}: {answer.stderr.strip()}")


def set_namespace(path: str) -> None:
    """Move this thread, and the processes that it starts from now on, into a network namespace."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"the namespace {path} cannot be entered")
    finally:
        os.close(descriptor)


@contextmanager
def within(path: str) -> Iterator[None]:
    """This thread in another network namespace for the length of the block."""
    own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    descriptor = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
    try:
        set_namespace(path)
        yield
    finally:
        set_namespace(f"/proc/self/fd/{descriptor}")
        os.close(descriptor)


class Namespace:
    """A network namespace with one link to the bridge."""

    def __init__(self, name: str, link: str, address: str) -> None:
        self.name = name
        self.link = link
        self.address = address

    @property
    def path(self) -> str:
        """Where the system keeps it."""
        return f"/run/netns/{self.name}"

    def cut(self) -> None:
        """Take its link down."""
        run("ip", "link", "set", self.link, "down")

    def mend(self) -> None:
        """Take its link up again."""
        run("ip", "link", "set", self.link, "up")

    def ignore(self, addresses: Sequence[str]) -> None:
        """Drop whatever comes from these addresses; what goes to them still goes."""
        rules = (
            "add table inet fire",
            "add chain inet fire input { type filter hook input priority 0; policy accept; }",
            f"add rule inet fire input ip saddr {{ {', '.join(addresses)} }} drop",
        )
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", text="\n".join(rules) + "\n")

    def listen(self) -> None:
        """Hear everybody again."""
        run("ip", "netns", "exec", self.name, "nft", "delete", "table", "inet", "fire")


class Fabric:
    """A bridge with namespaces on it; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        # The process id makes it unique beside other runs on this machine; a link's name has at most 15 characters.
        self._prefix = f"cv{os.getpid()}n{next(_COUNTER)}"
        self._undo = ExitStack()
        self._namespaces: list[Namespace] = []

    def __enter__(self) -> Fabric:
        sweep()
        bridge = f"{self._prefix}b"
        run("ip", "link", "add", bridge, "type", "bridge")
        self._undo.callback(run, "ip", "link", "delete", bridge)
        run("ip", "link", "set", bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def add(self) -> Namespace:
        """One more namespace, linked to the bridge."""
        number = len(self._namespaces) + 1
        one = Namespace(f"{self._prefix}-{number}", f"{self._prefix}v{number}", f"10.77.0.{number}")
        run("ip", "netns", "add", one.name)
        self._undo.callback(run, "ip", "netns", "delete", one.name)
        run("ip", "link", "add", one.link, "type", "veth", "peer", "name", "eth0", "netns", one.name)
        run("ip", "link", "set", one.link, "master", f"{self._prefix}b", "up")
        inside = ("ip", "-n", one.name)
        run(*inside, "address", "add", f"{one.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "link", "set", "lo", "up")
        self._namespaces.append(one)
        return one

    def relay(self, port: int, to: Namespace, *, at: Namespace | None = None) -> None:
        """Let `port` on loopback, here or in another namespace, lead to the same port on loopback in `to`."""
        relay = Relay(port, to.path, None if at is None else at.path)
        self._undo.callback(relay.close)


class Relay:
    """Carries connections into a namespace: it listens where it was made and connects there."""

    def __init__(self, port: int, target: str, source: str | None = None) -> None:
        self._port = port
        self._target = target
        with ExitStack() as place:
            if source is not None:
                place.enter_context(within(source))
            self._listener = socket.create_server((LOCAL, port))
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"relay-{port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop carrying."""
        self._wake.close()
        self._thread.join()

    def _run(self) -> None:
        set_namespace(self._target)
        with self._selector, self._listener, self._woken:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._woken:
                        for one in list(self._peers):
                            one.close()
                        return
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._carry(key.fileobj)

    def _accept(self) -> None:
        outer, _ = self._listener.accept()
        try:
            inner = socket.create_connection((LOCAL, self._port), timeout=5)
        except OSError:  # nobody listens there: whoever asks is told by a closed connection
            outer.close()
            return
        for one, other in ((outer, inner), (inner, outer)):
            one.settimeout(5)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, one: socket.socket) -> None:
        other = self._peers.get(one)
        if other is None:  # it was closed with its other end in this round
            return
        chunk = b""
        with suppress(OSError):
            chunk = one.recv(CHUNK_BYTES)
            other.sendall(chunk)
        if not chunk:
            for end in (one, other):
                self._selector.unregister(end)
                del self._peers[end]
                end.close()


def sweep() -> None:
    """Remove what runs left that were killed before they could: their process is gone, and its id is in the names."""
    known = [("netns", path.name) for path in Path("/run/netns").glob("cv*n*-*")]
    known += [("link", path.name) for path in Path("/sys/class/net").glob("cv*n*b")]
    for kind, name in known:
        made_by = re.match(r"cv(\d+)n\d+(?:-\d+|b)\Z", name)
        if made_by and not Path(f"/proc/{made_by[1]}").exists():
            with suppress(RuntimeError):  # another run may sweep at the same moment
                run("ip", kind, "delete", name)


def left_behind() -> list[str]:
    """Namespaces of this process that are still there."""
    place = Path("/run/netns")
    own = f"cv{os.getpid()}n"
    return sorted(path.name for path in place.glob(f"{own}*")) if place.is_dir() else []
