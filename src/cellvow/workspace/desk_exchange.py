"""Bundles received, batteries registered and links given at the desk."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from cellvow.core.contracts.battery import CATEGORIES, RegisterModel, model_key
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import is_gtin, parse_battery_id
from cellvow.core.primitives.signature import is_valid
from cellvow.node.home import LedgerSession
from cellvow.vault import Grant, GrantOrder, Issued, Use
from cellvow.verify import Verified, verify_bundle
from cellvow.workspace.commands import register_battery, register_model
from cellvow.workspace.granting import issue_grant
from cellvow.workspace.sharing import BUNDLE_SUFFIX, receive_bundle
from cellvow.workspace.workspace import Workspace

DAY_MS = 86_400_000
LINK_DAYS_MAX = 366
RECORDS_READ_MAX = 100_000
"""Links, or lines of their log, that are looked through for the newest."""
_THOUSANDTHS = re.compile(r"[0-9]{1,7}([.,][0-9]{1,3})?\Z")
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class ReceivedBundle:
    """A kept bundle and what it proves: who signed which message about which battery, with how many values."""

    name: str
    verified: Verified
    battery: str
    values: int


@dataclass(frozen=True, slots=True)
class BatteryForm:
    """A birth as it was typed, with the model's values where the ledger may lack the model."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field without the space around it."""
        return self.fields.get(name, "").strip()

    @property
    def has_model(self) -> bool:
        """Whether it says anything about the model."""
        return any(self.text(name) for name in ("model", "chemistry", "rated_ah", "mass_kg", "voltage"))

    def model(self) -> RegisterModel:
        """The model it describes; raises `Malformed` naming the field."""
        category = self.text("category")
        if category not in CATEGORIES:
            raise Malformed(f"category: one of {', '.join(CATEGORIES)}")
        return RegisterModel(
            gtin=self.text("gtin"),
            category=category,  # type: ignore[arg-type]  # one of the literals, as checked
            model=self._term("model"),
            chemistry=self._term("chemistry"),
            rated_capacity_mah=self._thousandths("rated_ah"),
            nominal_voltage_mv=self._thousandths("voltage"),
            voltage_min_mv=self._thousandths("voltage_min"),
            voltage_max_mv=self._thousandths("voltage_max"),
            mass_g=self._thousandths("mass_kg"),
        )

    def _term(self, name: str) -> str:
        text = self.text(name)
        if not text:
            raise Malformed(f"{name}: this model is not on the ledger yet, so its values are needed")
        return text

    def _thousandths(self, name: str) -> int:
        text = self.text(name)
        if _THOUSANDTHS.match(text) is None:
            raise Malformed(f"{name}: a number above 0 with at most three decimals, like 33.1")
        whole, _, part = text.replace(",", ".").partition(".")
        return int(whole) * 1000 + int(part.ljust(3, "0") or "0")


@dataclass(frozen=True, slots=True)
class LinkWish:
    """A link as a form asks for it."""

    battery: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def order(self, now_ms: int) -> GrantOrder:
        """What the vault takes; raises `Malformed`."""
        days = self.fields.get("days", "")
        if not (days.isascii() and days.isdigit() and len(days) <= 3 and 1 <= int(days) <= LINK_DAYS_MAX):
            raise Malformed(f"a link lasts 1 to {LINK_DAYS_MAX} whole days")
        scope = frozenset(one for one in self.fields.get("scope", "").split(",") if one)
        note = self.fields.get("note", "").strip()
        return GrantOrder(self.battery, scope, now_ms + int(days) * DAY_MS, note)


class Exchange:
    """What an organisation takes from others and lets others have. Blocks; shared by threads."""

    def __init__(
        self,
        workspace: Workspace,
        turn: Callable[[], AbstractContextManager[LedgerSession]],
        clock: Callable[[], int],
    ) -> None:
        """`turn` opens the ledger for one act; `clock` gives milliseconds."""
        self._workspace = workspace
        self._turn = turn
        self._clock = clock

    def receive(self, bundle: bytes) -> ReceivedBundle:
        """Keep a bundle that verifies; raises `Malformed` or `VerificationError` and keeps nothing otherwise."""
        verified = receive_bundle(self._workspace, bundle, self._workspace.home().trust)
        return _received(verified)

    def received(self, name: str) -> ReceivedBundle | None:
        """A kept bundle, verified anew; None where there is none. `name` is that of `ReceivedBundle`."""
        path = self._workspace.received / f"{name}{BUNDLE_SUFFIX}"
        if not path.is_file():
            return None
        return _received(verify_bundle(path.read_bytes(), self._workspace.home().trust, is_valid))

    def register(self, form: BatteryForm) -> str:
        """Register a battery, and first its model where the ledger has none of that number; its identifier.

        Raises `Malformed` for what is typed wrongly, the ledger's `Rejected` where its rules speak against it.
        """
        gtin = form.text("gtin")
        if not is_gtin(gtin):
            raise Malformed("gtin: 14 digits, of which the last is the check digit")
        battery = parse_battery_id(f"01/{gtin}/21/{form.text('serial')}")
        store = self._workspace.home().open_reader()
        try:
            has_model = store.get(model_key(gtin)) is not None
        finally:
            store.close()
        model = None if has_model else form.model()
        with self._turn() as session:
            if model is not None:
                register_model(session, self._workspace, model)
            register_battery(session, self._workspace, battery, form.text("manufactured_on"), form.text("facility"))
        return battery

    def issue_link(self, wish: LinkWish) -> Issued:
        """Give a link to a battery that this organisation owns; raises as `issue_grant` does."""
        now_ms = self._clock()
        return issue_grant(self._workspace, self._workspace.home(), wish.order(now_ms), now_ms)

    def revoke_link(self, grant_id: str) -> None:
        """End a link; raises `UnknownGrant`."""
        self._workspace.grants.revoke(grant_id, self._clock())

    def links(self, battery: str | None, limit: int) -> list[Grant]:
        """The newest links first, of one battery or of all."""
        found: list[Grant] = []
        while len(found) < RECORDS_READ_MAX:
            page = self._workspace.grants.grants(found[-1].grant_id if found else "", _PAGE, battery)
            found += page
            if len(page) < _PAGE:
                break
        return found[: -limit - 1 : -1]

    def uses(self, limit: int) -> list[Use]:
        """The newest uses and refusals first."""
        found: list[Use] = []
        while len(found) < RECORDS_READ_MAX:
            page = self._workspace.grants.uses(found[-1].number if found else 0, _PAGE)
            found += page
            if len(page) < _PAGE:
                break
        return found[: -limit - 1 : -1]


def _received(verified: Verified) -> ReceivedBundle:
    battery = verified.ordered.get("battery")
    return ReceivedBundle(
        f"{verified.statement_digest}-{verified.index}",
        verified,
        battery if isinstance(battery, str) else "",
        len(verified.disclosures),
    )
