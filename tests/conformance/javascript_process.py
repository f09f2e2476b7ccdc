"""One running Node process that calls the functions of verify.js and answers with what they return."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

Answer = Any  # bytes, or what JSON may hold

FOLDER = Path(__file__).resolve().parents[2] / "src/cellvow/verify/javascript"
VERIFIER = FOLDER / "verify.js"
MODULES = ("verify.js", "formats.js", "structures.js", "merkle.js", "consensus.js")

_DRIVER = """
import { createInterface } from "node:readline";
const [, folder, ...modules] = process.argv;
const called = Object.assign({}, ...(await Promise.all(modules.map((name) => import(folder + name)))));
called.judgeNote = (note, trust) => called.verifyNote(called.parseNote(note), called.parseTrust(trust));
called.judgeConsensus = (proof, header) => called.verifyConsensus(proof, called.parseGenesis(header));
called.judgeCommit = (header, commit, chain, keys) => {
  const read = called.parseHeader(header);
  const given = JSON.parse(keys).map(({ publicKey, power }) => ({
    publicKey: Uint8Array.from(Buffer.from(publicKey, "hex")),
    power: BigInt(power),
  }));
  return { hash: called.hashHeader(read), ...called.verifyCommit(read, called.parseCommit(commit), chain, given) };
};
called.composeWith = (kind, form, salt) => called.compose(kind, form, () => salt);
const reading = (key, value) =>
  value?.hex === undefined ? (value?.whole === undefined ? value : BigInt(value.whole))
  : Uint8Array.from(Buffer.from(value.hex, "hex"));
const writing = (value) => {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (typeof value === "bigint") return { whole: value.toString() };
  if (value instanceof Map) return { map: [...value].map((pair) => pair.map(writing)) };
  if (value instanceof called.Tagged) return { tag: writing(value.value) };
  if (Array.isArray(value)) return value.map(writing);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, writing(member)]));
};
for await (const line of createInterface({ input: process.stdin })) {
  const { name, given } = JSON.parse(line, reading);
  let answer;
  try {
    answer = { value: writing(await called[name](...given)) };
  } catch (error) {
    const refuses = [called.Refused, called.Unfit, called.Unwritable].some((one) => one && error instanceof one);
    answer = refuses ? { refused: error.message } : { thrown: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
}
"""


class RefusedByJavaScript(Exception):
    """The function refused what it was given; the message is its sentence."""


def _writing(value: object) -> object:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [_writing(each) for each in value]
    if isinstance(value, dict):
        return {name: _writing(each) for name, each in value.items()}
    return value


class JavaScript:
    """Calls exported functions by name: bytes go and come as bytes, BigInt as `{"whole": "1"}`."""

    def __init__(self, node: str, folder: Path = FOLDER, modules: Sequence[str] = MODULES) -> None:
        command = [node, "--input-type=module", "-e", _DRIVER, f"{folder.as_uri()}/", *modules]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def call(self, name: str, *given: object) -> Answer:
        """What the function returns; raises RefusedByJavaScript where it refuses."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the Node process has no pipes")
        self._process.stdin.write(json.dumps({"name": name, "given": [_writing(each) for each in given]}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise RefusedByJavaScript(answer["refused"])
        value = answer["value"]
        return bytes.fromhex(value["hex"]) if isinstance(value, dict) and "hex" in value else value

    def accepts(self, name: str, *given: object) -> bool:
        """Whether the function returns rather than refuses."""
        try:
            self.call(name, *given)
        except RefusedByJavaScript:
            return False
        return True


def run_verifier(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """What the command line answers."""
    command = ["node", str(VERIFIER), *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=1_800)


def verify_lines(cases: list[tuple[bytes, str | None]]) -> list[dict[str, Answer]]:
    """The verdicts on many bundles from one process, which is asked what was kept, too."""
    lines = [json.dumps({"bundle": bundle.hex(), "kept": True, "trust": trust}) for bundle, trust in cases]
    answer = run_verifier("--lines", given="\n".join(lines))
    answer.check_returncode()
    return [json.loads(line) for line in answer.stdout.splitlines()]


def flip(content: bytes, bit: int) -> bytes:
    """The bytes with one bit flipped."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
