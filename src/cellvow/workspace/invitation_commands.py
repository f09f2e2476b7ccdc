"""What an invited partner types: the record that is asked for as an exact command, by the link alone or on a ledger."""

from cellvow.workspace.invitation_document import InvitationDocument

LINK = "LINK"
"""Stands for the link itself: it is a secret, and no page repeats it."""
_ON_A_LEDGER = {
    "cells": "cellvow part install PART --into {battery} --workspace {workspace}",
    "test": "cellvow attest {battery} --from NUMBER --reference TEST-1 --workspace {workspace}",
    "handover": "cellvow handover accept {battery} --workspace {workspace}",
    "use": "cellvow service install {battery} --into vehicle --place VIN --workspace {workspace}",
    "service": (
        "cellvow service work {battery} --reference W-1 --kind maintenance --text 'WHAT WAS DONE' "
        "--workspace {workspace}"
    ),
    "second_life": (
        "cellvow life second repurpose --original {battery} --successor SUCCESSOR --manufactured-on YYYY-MM-DD "
        "--facility PLACE --workspace {workspace}"
    ),
    "end": "cellvow life waste {battery} --cause worn_out --workspace {workspace}",
}
_BY_LINK = {
    "handover": "--sign",
    "use": "--into vehicle --place VIN --sign",
    "service": "--kind maintenance --reference W-1 --text 'WHAT WAS DONE' --sign",
}
_AT_A_DESK = {"handover": "/desk/handovers", "test": "/desk/import?battery={battery}"}
_FOLDER = "my-workspace"


def command_on_ledger(asked: InvitationDocument) -> str:
    """The command that signs the record in a workspace that has joined the ledger; capitals stand for his own words."""
    return _ON_A_LEDGER[asked.stage].format(battery=asked.battery, workspace=_folder(asked))


def command_by_link(asked: InvitationDocument) -> str | None:
    """The command that does the same with nothing but the link, or None for a stage that it does not know."""
    words = _BY_LINK.get(asked.stage)
    taking = " --take" if asked.next_step == "take" else ""
    return None if words is None else f"cellvow invite accept {LINK} {words}{taking} --workspace {_folder(asked)}"


def command_to_enrol(asked: InvitationDocument) -> str:
    """The command that registers the working key of a new member, and shows what comes next."""
    return f"cellvow invite accept {LINK} --workspace {_folder(asked)}"


def command_to_apply(asked: InvitationDocument) -> str:
    """The command that makes a newcomer's workspace and application.

    The digest is not filled in: copied from here it would confirm nothing.
    """
    return (
        f"cellvow invite accept {LINK} --genesis DIGEST --organisation my-name "
        f"--role {asked.roles[0]} --workspace {_folder(asked)}"
    )


def desk_path(asked: InvitationDocument) -> str | None:
    """Where the partner's own desk has a form for it, if it has one."""
    path = _AT_A_DESK.get(asked.stage)
    return None if path is None else path.format(battery=asked.battery)


def _folder(asked: InvitationDocument) -> str:
    return asked.partner.organisation or _FOLDER
