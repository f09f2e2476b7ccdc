"""What everybody may see of a network: members, validators, how far the engine is, votes, evidence, recoveries.

It also compares this member's ledger with what validators and other members say, and tells when it stands alone.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from cellvow.core.contracts.electorate import get_validators
from cellvow.core.contracts.organisation import is_member, name_of
from cellvow.core.ledger.commit import VotingKey, order_voting_keys, parse_commit, parse_header, verify_commit
from cellvow.core.ledger.evidence import parse_evidence
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.validator import Validator
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.cometbft import answers
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.verify import app_hash_of
from cellvow.workspace.consent import ConsentView, read_consent
from cellvow.workspace.governing import Governance, read_governance, reading_context
from cellvow.workspace.recovering import RecoveryView, read_recoveries

OTHERS_FILE = "others.json"
"""Optional, in the node's folder: `{"ORGANISATION": "http://host:port"}`, engines of other members to compare with."""
OTHERS_MAX = 16
RPC_TIMEOUT_S = 1.0
"""A page waits no longer for an engine: one that is silent is told as such."""
KEPT_MS = 2_000
"""How long a view is shown before the engine is asked again: strangers cannot make it work harder."""
MEMBERS_MAX, EVIDENCE_MAX = 100, 50
"""What is listed in one view; how many there are is always told."""
_ADDRESS_LENGTH = 20


class EngineSource(Protocol):
    """What is asked of an engine."""

    def status(self) -> answers.Status:
        """How far it is."""
        ...

    def commit(self, height: int | None = None) -> answers.SignedHeader:
        """A header with the commit for it."""
        ...

    def validators(self, height: int | None = None) -> tuple[answers.Validator, ...]:
        """The validators of a height."""
        ...

    def peers(self) -> tuple[answers.Peer, ...]:
        """The engines connected with it."""
        ...

    def close(self) -> None:
        """No more questions."""
        ...


OpenEngine = Callable[[str], EngineSource]
"""From an address to the engine there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """A member as the ledger knows it."""

    organisation: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorView:
    """A validator with its share of all power; `has_signed` the newest header, None where no engine can say."""

    organisation: str
    name: str
    public_key: str
    power: int
    share_permille: int
    has_signed: bool | None
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """This member's engine; `signers` signed the header of `height`.

    `reason` says why nothing is known of it: `unreachable`, or `unsound` where what it shows was not signed.
    """

    reason: str | None = None
    version: str = ""
    height: int = 0
    is_catching_up: bool = False
    peers: tuple[str, ...] = ()
    signers: int = 0
    signed_power: int = 0
    total_power: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """This ledger's first `size` leaves against a root that somebody else names for them.

    `source` is `engine`, `validators` or `member` (then `who`); `agrees` is None where nothing could be compared.
    """

    source: str
    who: str = ""
    size: int = 0
    agrees: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """What a validator did, and when: `organisation` is None where nobody of that address is known."""

    kind: str
    organisation: str | None
    address: str
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """The network as this node sees it. `engine` is None where one writer orders the statements."""

    chain_id: str
    height: int
    time_ms: int
    now_ms: int
    ruleset: int
    members: tuple[MemberView, ...]
    members_total: int
    validators: tuple[ValidatorView, ...]
    engine: EngineView | None
    consent: ConsentView | None
    comparisons: tuple[Comparison, ...]
    governance: Governance
    evidence: tuple[EvidenceView, ...]
    evidence_total: int
    recoveries: tuple[RecoveryView, ...]

    @property
    def disagreeing(self) -> tuple[Comparison, ...]:
        """Who names another root for the same leaves."""
        return tuple(one for one in self.comparisons if one.agrees is False)

    @property
    def is_alone(self) -> bool:
        """Whether this member stands alone with its fork."""
        return bool(self.disagreeing)

    @property
    def is_compared(self) -> bool:
        """Whether anybody else's root could be compared with this ledger's."""
        return any(one.agrees is not None for one in self.comparisons)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What this member's engine said."""

    view: EngineView
    validators: tuple[answers.Validator, ...] = ()
    signed_by: frozenset[bytes] | None = None
    own_address: bytes = b""
    header: answers.Header | None = None


class NetworkReader:
    """Looks at the network of one node; shared by threads. `others` are addresses of other members' engines."""

    def __init__(
        self,
        home: NodeHome,
        clock: Callable[[], int],
        *,
        open_engine: OpenEngine = lambda url: EngineRpc(url, RPC_TIMEOUT_S),
        others: Mapping[str, str] | None = None,
    ) -> None:
        """`clock` gives milliseconds since 1970."""
        self._home = home
        self._clock = clock
        self._open_engine = open_engine
        self._others = read_others(home.folder) if others is None else others
        self._guard = threading.Lock()
        self._kept: NetworkView | None = None
        self._evidence: list[bytes] = []
        self._evidence_height = 0

    def view(self) -> NetworkView:
        """The network now, or as it was at most two seconds ago."""
        with self._guard:
            now_ms = self._clock()
            if self._kept is None or not 0 <= now_ms - self._kept.now_ms < KEPT_MS:
                store = self._home.open_reader()
                try:
                    self._kept = self._look(store, now_ms)
                finally:
                    store.close()
            return self._kept

    def _look(self, store: LedgerStore, now_ms: int) -> NetworkView:
        head = store.head()
        heard = self._hear(head.chain_id) if self._home.engine_url else None
        members, total = _members(store)
        consent = read_consent(store) if self._home.is_member else None
        evidence = self._read_evidence(store)
        return NetworkView(
            chain_id=head.chain_id,
            height=head.height,
            time_ms=head.time_ms,
            now_ms=now_ms,
            ruleset=head.ruleset,
            members=members,
            members_total=total,
            validators=_validators(store, heard),
            engine=None if heard is None else heard.view,
            consent=consent,
            comparisons=(*_compare_own(store, heard, consent), *self._compare_others(store)),
            governance=read_governance(store, now_ms),
            evidence=tuple(_evidence(store, one) for one in reversed(evidence[-EVIDENCE_MAX:])),
            evidence_total=len(evidence),
            recoveries=tuple(read_recoveries(store, now_ms)),
        )

    def _hear(self, chain_id: str) -> _Heard:
        """What the engine says; silence is an answer too."""
        engine = self._open_engine(self._home.engine_url or "")
        try:
            status = engine.status()
            view = EngineView(
                version=status.version,
                height=status.height,
                is_catching_up=status.is_catching_up,
                peers=tuple(peer.moniker for peer in engine.peers()),
            )
            if not status.height:
                return _Heard(view, own_address=status.validator_address)
            return _with_signers(view, engine, chain_id, status.validator_address)
        except OperationalError:
            return _Heard(EngineView(reason="unreachable"))
        except (Malformed, VerificationError):
            return _Heard(EngineView(reason="unsound"))
        finally:
            engine.close()

    def _compare_others(self, store: LedgerStore) -> list[Comparison]:
        if not self._others:
            return []
        with ThreadPoolExecutor(max_workers=len(self._others)) as asking:
            headers = list(asking.map(self._ask, self._others.values()))
        return [
            _compared(store, Comparison(source="member", who=who), header)
            for who, header in zip(self._others, headers, strict=True)
        ]

    def _ask(self, url: str) -> answers.Header | None:
        engine = self._open_engine(url)
        try:
            return engine.commit().header
        except OperationalError:
            return None
        finally:
            engine.close()

    def _read_evidence(self, store: LedgerStore) -> list[bytes]:
        """Every piece in the log; blocks are looked through once."""
        for block in store.blocks(after=self._evidence_height):
            self._evidence += block.evidence
            self._evidence_height = block.height
        return self._evidence


def read_others(folder: Path) -> dict[str, str]:
    """The engines of other members that the node's folder names; raises `Malformed` for a file of another form."""
    path = folder / OTHERS_FILE
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise Malformed(f"{path} is not JSON") from error
    is_map = isinstance(document, dict) and all(isinstance(url, str) for url in document.values())
    if not is_map or len(document) > OTHERS_MAX:
        raise Malformed(f'{path} holds {{"ORGANISATION": "http://host:port"}}, at most {OTHERS_MAX} of them')
    for url in document.values():
        EngineRpc(url).close()  # refuses a bad address before it is ever asked
    return {str(who): str(url) for who, url in document.items()}


def derive_address(public_key: bytes) -> bytes:
    """By what the engine names a validator: the first 20 bytes of SHA-256 of its key."""
    return sha256(public_key)[:_ADDRESS_LENGTH]


def verify_signed(
    signed: answers.SignedHeader, validators: Sequence[answers.Validator], chain_id: str
) -> tuple[VotingKey, ...]:
    """Who signed a header, every signature checked; raises `VerificationError` below two thirds, or `Malformed`."""
    keys = order_voting_keys([VotingKey(one.public_key, one.voting_power) for one in validators])
    header = parse_header(answers.encode_header(signed.header))
    return verify_commit(header, parse_commit(answers.encode_commit(signed.commit)), chain_id, keys, is_valid).signed_by


def _with_signers(view: EngineView, engine: EngineSource, chain_id: str, own_address: bytes) -> _Heard:
    """Who signed the newest header: every signature is checked, under the validators that the header names."""
    signed = engine.commit()
    validators = engine.validators(signed.header.height)
    keys = verify_signed(signed, validators, chain_id)
    said = EngineView(
        version=view.version,
        height=signed.header.height,
        is_catching_up=view.is_catching_up,
        peers=view.peers,
        signers=len(keys),
        signed_power=sum(key.power for key in keys),
        total_power=sum(one.voting_power for one in validators),
    )
    signers = frozenset(key.public_key for key in keys)
    return _Heard(said, validators, signers, own_address, signed.header)


def _members(store: LedgerStore) -> tuple[tuple[MemberView, ...], int]:
    """The first members in order, and how many there are."""
    found = ((key.partition("/")[2], value) for key, value in store.records("organisation/"))
    current = [(organisation, value) for organisation, value in found if is_member(store.get, organisation)]
    views = [
        MemberView(organisation=one.organisation, name=one.name, roles=one.roles)
        for one in (parse_organisation(value) for _, value in islice(current, MEMBERS_MAX))
    ]
    return tuple(views), len(current)


def _validators(store: LedgerStore, heard: _Heard | None) -> tuple[ValidatorView, ...]:
    """Those of the ledger's own record, with what the engine says of each."""
    known = get_validators(reading_context(store))
    total = sum(one.power for one in known)
    return tuple(_validator(store, one, total, heard) for one in known)


def _validator(store: LedgerStore, validator: Validator, total: int, heard: _Heard | None) -> ValidatorView:
    key = bytes.fromhex(validator.public_key)
    is_heard = heard is not None and heard.signed_by is not None
    return ValidatorView(
        organisation=validator.organisation,
        name=name_of(store.get, validator.organisation),
        public_key=validator.public_key,
        power=validator.power,
        share_permille=validator.power * 1000 // total,
        has_signed=key in (heard.signed_by or ()) if heard is not None and is_heard else None,
        is_own=heard is not None and bool(heard.own_address) and derive_address(key) == heard.own_address,
    )


def _compare_own(store: LedgerStore, heard: _Heard | None, consent: ConsentView | None) -> list[Comparison]:
    """This ledger against the newest header of its own engine, and against the validators' proof that it keeps."""
    found = []
    if heard is not None and heard.header is not None:
        found.append(_compared(store, Comparison(source="engine"), heard.header))
    if consent is not None:
        size, root = consent.size, bytes.fromhex(consent.root)
        found.append(Comparison(source="validators", size=size, agrees=_agrees(store, size, root)))
    return found


def _compared(store: LedgerStore, comparison: Comparison, header: answers.Header | None) -> Comparison:
    if header is None:
        return comparison
    try:
        size, root = app_hash_of(parse_header(answers.encode_header(header)))
    except Malformed:
        return comparison
    agrees = _agrees(store, size, root)
    return Comparison(source=comparison.source, who=comparison.who, size=size, agrees=agrees)


def _agrees(store: LedgerStore, size: int, root: bytes) -> bool | None:
    """Whether the first `size` leaves of this ledger have that root; None where it is not that long."""
    if size > store.head().log.size:
        return None
    return store.frontier(size).root() == root


def _evidence(store: LedgerStore, data: bytes) -> EvidenceView:
    evidence = parse_evidence(data)
    validators = (*get_validators(reading_context(store)), *store.genesis().validators)
    owners = {derive_address(bytes.fromhex(one.public_key)).hex(): one.organisation for one in validators}
    return EvidenceView(
        kind=evidence.kind,
        organisation=owners.get(evidence.address),
        address=evidence.address,
        height=evidence.height,
        time_ms=evidence.time_ms,
    )
