"""The page behind an invitation's link: who asks for which record of which battery, and how it is made."""

from markupsafe import Markup

from cellvow.core.primitives.errors import ensure
from cellvow.passport.view import Passport
from cellvow.web import answers
from cellvow.web.catalogue import LOCALES, clean_foreign
from cellvow.web.rendering import PLAIN, render_page
from cellvow.web.wording import Wording
from cellvow.workspace.invitation_commands import (
    command_by_link,
    command_on_ledger,
    command_to_apply,
    command_to_enrol,
    desk_path,
)
from cellvow.workspace.invitation_document import InvitationDocument

LOOK_PARAMETER = "look"
"""With it the link opens what its owner lets the bearer see beyond what a stranger sees."""


def render_invitation(
    asked: InvitationDocument, passport: Passport, *, locale: str, language: str, shows_more: bool
) -> str:
    """One document; `language` is what `?lang=` asked for. Its own address is a secret: it names it nowhere."""
    ensure(locale in LOCALES, f"there is no catalogue {locale}")
    wording = Wording(locale)
    lang = f"?lang={language}" if language else ""
    fact = answers.find_fact(passport, "model")
    return render_page(
        "invitation.html",
        locale,
        PLAIN,
        home=f"/{lang}",
        languages=tuple((one, f"?lang={one}") for one in LOCALES),
        asked=asked,
        passport=passport,
        address=f"/{asked.battery}{lang}",
        model=passport.serial if fact is None else clean_foreign(str(fact.value)),
        more=f"?{LOOK_PARAMETER}=1" if shows_more else None,
        by_link=command_by_link(asked),
        on_ledger=command_on_ledger(asked),
        to_apply=command_to_apply(asked),
        to_enrol=command_to_enrol(asked),
        desk=desk_path(asked),
        roles=lambda names: Markup(", ").join(wording.catalogue.term("role", one) for one in names),
    )
