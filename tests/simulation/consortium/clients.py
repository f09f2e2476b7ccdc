"""An honest client: keeps what it signed, sends it until it has an answer, and sends it again elsewhere."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.primitives.errors import OperationalError
from tests.simulation.consortium.record import Chronicle, Died, Violation

if TYPE_CHECKING:
    from random import Random

    from cellvow.node.engine import Receipted
    from tests.simulation.consortium.audit import Audit
    from tests.simulation.consortium.member import Member
    from tests.simulation.consortium.workload import Order

NOT_YET = (Reason.UNKNOWN_KEY,)
"""What a member says that lags behind the registration: ask again."""
FINAL = (Reason.KEY_NOT_IN_FORCE,)
"""What an honest statement can be refused for: its key ended while it was on its way."""


class Sent(NamedTuple):
    """A statement on its way by one member."""

    member: Member
    order: Order
    future: Future[Receipted]


class Client:
    """Sends the orders of one organisation; `answered` says what became of each."""

    def __init__(self, orders: list[Order], rng: Random, chronicle: Chronicle, audit: Audit) -> None:
        self.orders = orders
        self.answered: dict[bytes, str] = {}
        self._rng = rng
        self._chronicle = chronicle
        self._audit = audit
        self._sent: list[Sent] = []

    @property
    def unanswered(self) -> list[Order]:
        """What has no answer yet."""
        return [order for order in self.orders if order.data not in self.answered]

    def _sendable(self) -> list[Order]:
        """What may be sent now: a floor is raised only once nothing of its key is on its way."""
        waiting = self.unanswered
        is_registered = all(order.kind != "registration" for order in waiting)
        return [order for order in waiting if order.kind != "floor" or is_registered]

    def send(self, members: list[Member], *, is_calm: bool) -> None:
        """Send some of the statements that wait for an answer: new ones, and impatiently others again."""
        open_orders = self._sendable()
        for order in self._rng.sample(open_orders, min(len(open_orders), 4 if is_calm else 2)):
            waiting = [sent for sent in self._sent if sent.order is order]
            if waiting and self._rng.random() < (0.3 if is_calm else 0.7):
                continue
            self.send_to(self._rng.choice(members), order)
            if waiting:
                self._chronicle.note("sent again while it waits")

    def send_between(self, member: Member) -> None:
        """Offer one of them while the member is between two calls."""
        waiting = self._sendable()
        if waiting:
            self.send_to(member, self._rng.choice(waiting))

    def send_to(self, member: Member, order: Order) -> None:
        """Offer a statement to a member and note what it says at once; raises `Died` as the member does."""
        try:
            future = member.submit(order.data)
        except NotIncludable as refusal:
            self._refused(member, order, refusal)
            return
        except OperationalError:
            self._chronicle.note("a member was out of reach")
            return
        self._sent.append(Sent(member, order, future))
        self._chronicle.note("sent", member.name, order.kind)

    def hear(self) -> None:
        """Take the answers that have come."""
        for sent in [one for one in self._sent if one.future.done()]:
            self._sent.remove(sent)
            error = sent.future.exception()
            if error is None:
                self._committed(sent.member, sent.order, sent.future.result())
            elif isinstance(error, Died):
                raise error
            else:
                self._chronicle.note("timed out, fate unknown")

    def forget(self, member: Member) -> None:
        """A member's gateway was closed: what waited there will be sent again."""
        self._sent = [sent for sent in self._sent if sent.member is not member]

    def _committed(self, member: Member, order: Order, receipted: Receipted) -> None:
        self._audit.acknowledge(member.name, order.data, receipted)
        if self.answered.get(order.data) == "refused":
            self._chronicle.note("committed although another member refused it")
        if self.answered.get(order.data) == "committed":
            return
        self.answered[order.data] = "committed"
        for outcome in receipted.outcomes:
            reason = parse_outcome(outcome).reason
            self._chronicle.note("outcome accepted" if reason is None else f"outcome {reason.name}")

    def _refused(self, member: Member, order: Order, refusal: NotIncludable) -> None:
        self._chronicle.note(f"refused {refusal.reason.name}", member.name)
        if refusal.reason in NOT_YET:
            return
        if refusal.reason is Reason.SEQUENCE_USED and self._is_excusable(member, order):
            return
        is_contradicted = refusal.reason is Reason.SEQUENCE_USED and self._audit.is_contradicted(order.data)
        if refusal.reason not in FINAL and not is_contradicted:
            raise Violation(f"5: {member.name} refuses an honest {order.kind} with {refusal.reason.name}")
        self.answered.setdefault(order.data, "refused")

    def _is_excusable(self, member: Member, order: Order) -> bool:
        """Whether the member joined by a snapshot later: what is older it knows by its sequence alone."""
        decided, begins = self._audit.height_of(order.data), member.gateway.store.restored_height()
        if begins is None or decided is None or decided > begins:
            return False
        self._chronicle.note("a newcomer knows an older statement only as used")
        return True
