"""One message followed through every byte form, with fixed keys: the example of docs/reference/formats.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.core.ledger.checkpoint import parse_note
from cellvow.core.ledger.log import encode_app_hash
from cellvow.core.ledger.outcome import OUTCOME_DOMAIN
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.digest import domain_digest, sha256
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, encode_trust
from tests.bundles.chain import Chain, birth, disclosures, model, registration

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = "<!-- example: generated, do not edit -->", "<!-- end of example -->"
_WIDTH = 100


@dataclass(frozen=True)
class Form:
    """A named byte form of the example: shown as text where it is text, as hexadecimal otherwise."""

    name: str
    content: bytes
    is_text: bool = False


def build_forms(folder: Path) -> list[Form]:
    """The forms of one RegisterBattery message, from message to bundle."""
    chain = Chain(folder)
    signer = chain.signer
    chain.submit("key", signer.single("maker root", "maker", registration("maker", "maker key")))
    chain.submit("model", signer.single("maker key", "maker", model()))
    data = signer.single("maker key", "maker", birth(1))
    receipted = chain.submit("birth", data)
    note = chain.publish("ab")
    bundle = encode_bundle(build_bundle(chain.store, receipted.digest))
    block = chain.store.block(receipted.height)
    head = chain.engine.head
    trust = encode_trust(chain.trust())
    genesis = chain.genesis.header
    chain.close()
    statement = parse_statement(data)
    envelope, outcome = statement.envelope, receipted.outcomes[0]
    disclosure = disclosures(1)[0]
    return [
        Form("message", statement.messages[0], is_text=True),
        Form("payload", envelope.payload, is_text=True),
        Form("protected header", envelope.protected),
        Form("signed bytes (Sig_structure)", envelope.signed_bytes),
        Form("statement (COSE_Sign1)", data),
        Form("txid", envelope.txid),
        Form("statement digest", envelope.digest),
        Form("outcome", outcome, is_text=True),
        Form("outcome digest", domain_digest(OUTCOME_DOMAIN, outcome)),
        Form(
            "content of the statement's leaf",
            b"\x01" + sha256(envelope.digest, domain_digest(OUTCOME_DOMAIN, outcome)),
        ),
        Form("block document", b"" if block is None else block.body, is_text=True),
        Form("app hash", encode_app_hash(head.log)),
        Form("genesis header", genesis, is_text=True),
        Form("checkpoint, cosigned by two", note, is_text=True),
        Form("root in the checkpoint", parse_note(note).checkpoint.root),
        Form("field document", disclosure.field, is_text=True),
        Form("salt of the field", disclosure.salt),
        Form("bundle", bundle),
        Form("trust file", trust, is_text=True),
    ]


def render_forms(forms: list[Form]) -> str:
    """The example as the page shows it."""
    parts = []
    for form in forms:
        text = form.content.decode("utf-8").rstrip("\n") if form.is_text else form.content.hex()
        lines = text.split("\n") if form.is_text else [text]
        folded = [line[at : at + _WIDTH] for line in lines for at in range(0, max(1, len(line)), _WIDTH)]
        parts.append(f"**{form.name}** ({len(form.content)} bytes)\n\n```text\n" + "\n".join(folded) + "\n```\n")
    return "\n".join(parts)


def replace_example(page: str, forms: list[Form]) -> str:
    """The page with its example made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render_forms(forms)}\n{END}{after}"
