"""Where an attack takes place: a copy of a demonstration, and the honest parties that have followed its ledger."""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.merkle import consistency_path
from cellvow.node.archive import export_archive
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.node.publication import Answer, Publication, Publisher, WitnessEndpoint
from cellvow.node.replaying_witness import open_witness, replay_log
from cellvow.node.witness import LocalWitness, Witness
from cellvow.workspace.attacks.member_ledger import follow_ledger
from cellvow.workspace.clock import now_ms
from cellvow.workspace.demo import ORIGIN
from cellvow.workspace.workspace import Workspace

REPLAYING = "witness.invalid/replaying"
"""The name of the witness that executes every block anew."""
MEASUREMENTS = shutil.ignore_patterns("*.parquet")
"""What an attack needs of nobody, and copies would be slow with."""


class Scene:
    """A copy of a demonstration before an attack on it, with its three witnesses and everybody who follows it.

    A replaying witness, another member who executes the blocks, and an archive are at the head of the ledger. The
    trust file of a purchaser is the demonstration's: three consistency witnesses, of whom two must cosign. The
    replaying witness is asked beside them, so that it shows what their cosignatures leave open.
    """

    def __init__(self, demo: Path, folder: Path) -> None:
        """Copy the demonstration in `demo` into `folder`, and let the honest parties follow its ledger."""
        self._demo = demo
        self.folder = folder
        self.ledger = folder / "ledger"
        self.member_ledger = folder / "member"
        self.archive = folder / "archive"
        for part in ("ledger", "witnesses"):
            shutil.copytree(demo / part, folder / part)
        self.trust = self.home().trust
        self._find_witnesses()
        self._engage_replaying_witness()
        shutil.copytree(self.ledger, self.member_ledger)
        self.keep_up()

    def home(self) -> NodeHome:
        """The node whose ledger is served."""
        return NodeHome(self.ledger)

    def session(self) -> LedgerSession:
        """A turn at writing the ledger served, by a node that keeps the rules."""
        return self.home().open_session(now_ms)

    @contextmanager
    def workspace(self, organisation: str) -> Iterator[Workspace]:
        """An organisation's own workspace, keys included."""
        folder = self.folder / organisation
        if not folder.exists():
            shutil.copytree(self._demo / organisation, folder, ignore=MEASUREMENTS)
        with closing(Workspace(folder)) as workspace:
            yield workspace

    def publish(self) -> Publication:
        """Have the ledger served signed by its log, and offered to its three witnesses."""
        with self.session() as session:
            return session.publish()

    def ask_replaying_witness(self) -> Answer:
        """What the witness that executes every block says of the head of the ledger served."""
        home, place = self.home(), self.folder / "replaying"
        with closing(open_witness(place, REPLAYING)) as witness, closing(home.open_reader()) as served:
            log = served.head().log
            endpoint = WitnessEndpoint(witness.key, LocalWitness(witness, lambda: now_ms() // 1000))
            publisher = Publisher(home.log_key, [endpoint], partial(consistency_path, served.node))
            return publisher.publish(home.sign_head(log.size, log.root())).answers[0]

    def keep_up(self) -> None:
        """Let everybody follow the ledger served; raises `VerificationError` where it does not go on."""
        with closing(self.home().open_reader()) as served:
            export_archive(served, self.archive)
            follow_ledger(self.member_ledger, served)
        answer = self.ask_replaying_witness()
        ensure(answer.reason is None, f"an honest ledger was refused: {answer.reason}")

    def serve(self, folder: Path) -> None:
        """Serve the ledger in another folder from now on, in the place of the one so far."""
        for part in self.ledger.iterdir():
            if part.suffix in (".json", ".key") and not (folder / part.name).exists():
                shutil.copy2(part, folder / part.name)
        shutil.rmtree(self.ledger)
        folder.rename(self.ledger)

    def _find_witnesses(self) -> None:
        path = self.ledger / "witnesses.json"
        addresses = json.loads(path.read_text(encoding="utf-8"))
        for address in addresses:
            address["place"] = str((self.folder / "witnesses" / Path(address["place"]).name).resolve())
        path.write_text(json.dumps(addresses), encoding="utf-8")

    def _engage_replaying_witness(self) -> None:
        place = self.folder / "replaying"
        with closing(Witness.create(place, REPLAYING, secrets.token_bytes(32))) as witness:
            witness.add_log(ORIGIN, self.home().describe()["log"])
        replay_log(place, self.trust, self.ledger.resolve())
