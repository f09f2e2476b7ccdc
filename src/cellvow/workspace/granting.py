"""Purchaser links: who may give them, and what they open - as long as the organisation owns the battery."""

from collections.abc import Callable

from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.register import OWNERSHIP
from cellvow.core.contracts.whole import derive_registered
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.passport.view import Audience, Reader, Scope
from cellvow.vault import Asked, Grant, GrantOrder, GrantRefused, Issued
from cellvow.workspace.clock import now_ms
from cellvow.workspace.workspace import Workspace

LINK_PATH = "/g/"
LINK_ROUTE = "link"
"""How the log calls the first step, by which a link is followed to its battery."""


def find_owner(store: LedgerStore, battery: str) -> str | None:
    """The organisation that owns it now, a part with its whole, or None where the ledger knows no such battery."""
    if store.get(battery_key(battery)) is None:
        return None
    return derive_registered(store.get, OWNERSHIP, battery).organisation


def issue_grant(
    workspace: Workspace, home: NodeHome, order: GrantOrder, moment_ms: int, token: str | None = None
) -> Issued:
    """A purchaser link to a battery that this organisation owns now: title, not custody, decides who may show it.

    It opens by a new token, or by one made for the same bearer.
    Raises `Rejected` for an unknown battery, `OperationalError` where another owns it, `Malformed` for a bad order.
    """
    store = home.open_reader()
    try:
        owner = find_owner(store, order.battery)
    finally:
        store.close()
    if owner is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=order.battery)
    if owner != workspace.organisation:
        raise OperationalError(
            f"{order.battery} is owned by {owner}, not by {workspace.organisation}: only the owner gives links to it. "
            "If it was sold to you, accept the hand-over of ownership first"
        )
    return workspace.grants.issue(order, moment_ms, token)


def use_grant(workspace: Workspace, store: LedgerStore, token: str, asked: Asked) -> Grant:
    """The grant behind a link, if it is to be honoured now; logged either way. Raises `GrantRefused` otherwise.

    A link ends with ownership: once another organisation stands in that register, what it showed is not this one's
    to show. Should the battery come back, the link opens again until it expires.
    """
    return workspace.grants.open_grant(
        token, asked, lambda battery: find_owner(store, battery) == workspace.organisation
    )


def reader_of(grant: Grant) -> Reader:
    """As whom the bearer of a grant reads its battery."""
    return Reader(Audience.PURCHASER, frozenset(Scope(word) for word in grant.scope))


class PurchaserLinks:
    """The links of one organisation as its site honours them: every use and every refusal is logged.

    To whoever tries, each refusal is the same None; only the log says why.
    """

    def __init__(self, home: NodeHome, workspace: Workspace, clock: Callable[[], int] = now_ms) -> None:
        """`clock` gives milliseconds since 1970."""
        self._home = home
        self._workspace = workspace
        self._clock = clock

    def enter(self, token: str) -> tuple[str, int] | None:
        """The battery a link leads to and the seconds it still lasts, or None where it is not to be honoured."""
        moment_ms = self._clock()
        grant = self._use(token, Asked(None, LINK_ROUTE, moment_ms))
        return None if grant is None else (grant.battery, (grant.expires_ms - moment_ms) // 1000)

    def reader(self, token: str, battery: str, route: str) -> Reader | None:
        """As whom a link's bearer reads this battery, or None where it is not to be honoured; `route` is a word."""
        grant = self._use(token, Asked(battery, route, self._clock()))
        return None if grant is None else reader_of(grant)

    def _use(self, token: str, asked: Asked) -> Grant | None:
        store = self._home.open_reader()
        try:
            return use_grant(self._workspace, store, token, asked)
        except GrantRefused:
            return None
        finally:
            store.close()
