"""What waits for a second signature, statement by statement, whole: what would be signed, by whom, and until when."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.encoding import Json
from cellvow.workspace.countersigning import Waiting, waiting
from cellvow.workspace.desk_acts import Signer, find_names, leaves_of
from cellvow.workspace.disputes import Opened, open_own
from cellvow.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondSeen:
    """A statement of which messages wait: the desk's own key, the first signer's, and why the desk's may not sign.

    `first_name` is what the first key is called in this keystore; empty where it lies elsewhere, with a colleague.
    `opened` is what stands behind its commitments, as far as this vault tells.
    """

    statement: str
    waiting: tuple[Waiting, ...]
    signer: Signer
    first_name: str
    names: Mapping[str, str]
    opened: Opened

    @property
    def first(self) -> Waiting:
        """The message that stands first."""
        return self.waiting[0]

    @property
    def refusal(self) -> Rejected | None:
        """Why the desk's key cannot give the second signature; None where it can."""
        return next((one.refusal for one in self.waiting if one.refusal is not None), None)

    @property
    def code(self) -> int:
        """The code of the rule by which the desk's key may not sign; 0 where it may."""
        return 0 if self.refusal is None else int(self.refusal.reason)

    @property
    def is_own(self) -> bool:
        """Whether the desk's own key has signed first, or took the place of the one that did."""
        return self.code == Reason.SAME_SIGNER

    @property
    def orders(self) -> tuple[dict[str, Json], ...]:
        """Every message, with every field."""
        return tuple(one.order for one in self.waiting)


class Seconds:
    """Reads what waits in one organisation. Blocks; shared by threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def list(self) -> tuple[SecondSeen, ...]:
        """All that waits, the oldest first."""
        key = self._workspace.key()
        keystore = self._workspace.keystore
        called = {keystore.key(name).kid.hex(): name for name in keystore.names()}
        with closing(self._workspace.home().open_reader()) as store:
            found: dict[str, list[Waiting]] = {}
            for one in waiting(store, self._workspace.organisation, key.kid):
                found.setdefault(one.statement, []).append(one)
            return tuple(
                SecondSeen(
                    statement=statement,
                    waiting=tuple(held),
                    signer=Signer(self._workspace.settings.key, key.kid.hex()),
                    first_name=called.get(held[0].first_kid, ""),
                    names=find_names(store, (held[0].organisation, *leaves_of([one.order for one in held]))),
                    opened=open_own(self._workspace, leaves_of([one.order for one in held])),
                )
                for statement, held in found.items()
            )

    def find(self, statement: str) -> SecondSeen | None:
        """What waits of one statement; None where nothing does."""
        return next((one for one in self.list() if one.statement == statement), None)
