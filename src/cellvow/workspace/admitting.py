"""Admitting an invited partner: his application becomes a proposal, and the adopted proposal a member."""

from dataclasses import dataclass
from pathlib import Path

from cellvow.core.contracts.change import AdmitMember
from cellvow.core.primitives.errors import OperationalError
from cellvow.workspace import clock
from cellvow.workspace.governing import Draft, ProposalView, next_reference, read_governance
from cellvow.workspace.invitation_document import APPLICATION_BYTES_MAX, verify_application
from cellvow.workspace.inviting import read_member_entry
from cellvow.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Admission:
    """An application that holds, in answer to an invitation of this workspace that is in force."""

    workspace: Workspace
    invitation: str
    change: AdmitMember

    @classmethod
    def of(cls, workspace: Workspace, application: bytes) -> "Admission":
        """Verify an application, and keep whose it is with the invitation it answers.

        Raises `Malformed`, `VerificationError`, `UnknownInvitation`, or `OperationalError` for one that has ended or
        was answered by another organisation.
        """
        number, member = verify_application(application, workspace.home().trust.genesis.hex())
        if workspace.invitations.find(number).state(clock.now_ms()) != "in_force":
            raise OperationalError(f"invitation {number} has ended: make another one")
        workspace.invitations.name_partner(number, member.organisation)
        change = AdmitMember(
            organisation=member.organisation,
            name=member.name,
            roles=member.roles,  # type: ignore[arg-type]  # verify_application has checked them against the same list
            root_keys=member.root_keys,
        )
        return cls(workspace, number, change)

    @property
    def organisation(self) -> str:
        """Who is to be admitted."""
        return self.change.organisation

    @property
    def is_member(self) -> bool:
        """Whether the ledger has the applicant as a member, with the root key of the application."""
        store = self.workspace.home().open_reader()
        try:
            member = read_member_entry(store, self.organisation)
        finally:
            store.close()
        if member is not None and self.change.root_keys[0] not in member.root_keys:
            raise OperationalError(f"{self.organisation} is a member already, with another root key: it is not he")
        return member is not None

    def find_proposal(self) -> ProposalView | None:
        """The proposal to admit exactly this applicant, open or adopted, whoever made it."""
        store = self.workspace.home().open_reader()
        try:
            governance = read_governance(store, clock.now_ms())
        finally:
            store.close()
        return next((one for one in (*governance.pending, *governance.open) if one.change == self.change), None)

    def draft(self, reference: str | None, voting_ms: int) -> Draft:
        """What to propose."""
        store = self.workspace.home().open_reader()
        try:
            named = reference or next_reference(store, self.workspace.organisation)
        finally:
            store.close()
        return Draft(change=self.change, reference=named, effective_height=0, closes_ms=clock.now_ms() + voting_ms)


def read_application(path: Path) -> bytes:
    """The bytes of an application's file; raises `OperationalError` where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(APPLICATION_BYTES_MAX + 1).rstrip(b"\n")
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror or error}") from error
