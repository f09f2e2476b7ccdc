/** The phone's page: its key, the form, and what waits; everything but sending works without network. */

import { Unfit, parseBattery } from "./messages.js";
import { fetchStanding, findObstacle, makeIdentity, record, sendAll } from "./queue.js";
import { fill, showRow } from "./rows.js";
import { fingerprint } from "./statement.js";
import { QueueFull, openStore } from "./storage.js";

const WORKER = "/field/worker.js";
const find = (id) => document.getElementById(id);
const place = find("field");
const FIELDS = ["unit", "work", "incident", "severity", "into", "cause", "place", "text", "reference", "on", "next"];
const own = { chainId: place.dataset.ledger, organisation: place.dataset.organisation };
let words;
let store;
let identity;

// --- The page itself ----------------------------------------------------------------------------------------------

async function fetchWords() {
  const answer = await fetch(place.dataset.words, { credentials: "omit" });
  return answer.json();
}

/** The browser takes a worker's address only from a policy that the page's header names. */
function workerAddress() {
  const policy = globalThis.trustedTypes?.createPolicy("cellvow-field", {
    createScriptURL: (address) => {
      if (address !== WORKER) throw new TypeError("only the page's own worker is started");
      return address;
    },
  });
  return policy ? policy.createScriptURL(WORKER) : WORKER;
}

async function keepPage() {
  const line = find("kept");
  line.textContent = words.said.not_ready;
  await navigator.serviceWorker.register(workerAddress(), { scope: "/field" });
  await navigator.serviceWorker.ready;
  line.textContent = words.said.ready;
  line.dataset.ready = "yes";
}

// --- The key --------------------------------------------------------------------------------------------------------

function isElsewhere() {
  return identity.chainId !== own.chainId || identity.organisation !== own.organisation;
}

async function renew() {
  try {
    identity = await makeIdentity(store, own, identity);
  } catch (error) {
    find("standing").textContent = words.said[error instanceof QueueFull ? `full_${error.message}` : "not_kept"];
    return;
  }
  await navigator.storage?.persist?.();
  showIdentity();
  await checkStanding();
}

function say(state) {
  const parameters = { organisation: identity?.organisation ?? "", ledger: identity?.chainId ?? "" };
  find("standing").textContent = fill(words.said[`state_${state}`], parameters);
  find("standing").dataset.state = state;
  find("make").hidden = !["none", "ended", "elsewhere"].includes(state);
}

function showIdentity() {
  find("admit").hidden = !identity;
  find("check").hidden = !identity;
  find("new").hidden = !identity || isElsewhere();
  if (!identity) return say("none");
  find("fingerprint").textContent = fingerprint(identity.kid);
  find("code").value = identity.code;
  find("command").textContent = `cellvow key phone --fingerprint ${fingerprint(identity.kid)} --workspace ${own.organisation} LINE`;
  return isElsewhere() ? say("elsewhere") : undefined;
}

async function checkStanding() {
  if (!identity || isElsewhere()) return;
  const state = await fetchStanding(identity);
  say(state);
  find("admit").open = state === "unknown";
}

// --- The form -------------------------------------------------------------------------------------------------------

const today = () => new Date().toISOString().slice(0, 10);
const pad = (number) => String(number).padStart(2, "0");

function suggestReference(kind) {
  const now = new Date();
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(pad).join("");
  return `${kind === "incident" ? "I" : "W"}-${today().replaceAll("-", "")}-${time}`;
}

function showKind() {
  const kind = find("kind").value;
  for (const line of document.querySelectorAll("[data-for]")) line.hidden = !line.dataset.for.split(" ").includes(kind);
  if (!find("reference").dataset.own) find("reference").value = suggestReference(kind);
}

function emptyForm() {
  for (const name of ["unit", "place", "text", "next"]) find(name).value = "";
  find("on").value = today();
  delete find("reference").dataset.own;
  showKind();
}

function readForm() {
  const form = Object.fromEntries(FIELDS.map((name) => [name, find(name).value]));
  const kind = find("kind").value;
  return { kind, form: { ...form, kind: kind === "incident" ? form.incident : form.work } };
}

function explain(error) {
  const line = find("wrong");
  for (const name of FIELDS) find(name).removeAttribute("aria-invalid");
  line.hidden = false;
  if (error instanceof Unfit) {
    line.textContent = words.said[`unfit_${error.why}`];
    find(error.field).setAttribute("aria-invalid", "true");
    find(error.field).focus();
  } else if (error instanceof QueueFull) {
    line.textContent = words.said[`full_${error.message}`];
  } else {
    line.textContent = words.said.not_kept;
  }
}

async function sign(event) {
  event.preventDefault();
  const button = find("form").querySelector("button");
  const { kind, form } = readForm();
  find("signed").textContent = "";
  button.disabled = true;
  try {
    const row = await record(store, identity, kind, form);
    for (const name of FIELDS) find(name).removeAttribute("aria-invalid");
    find("wrong").hidden = true;
    emptyForm();
    find("signed").textContent = fill(words.said.signed, { kind: words.said[`kind.${kind}`], unit: row.battery });
  } catch (error) {
    explain(error);
    return;
  } finally {
    button.disabled = false;
  }
  await showRows();
  if (navigator.onLine) await send();
}

function fillAnew({ kind, form, battery }) {
  find("kind").value = kind;
  for (const name of FIELDS) find(name).value = form[name];
  find("unit").value = battery;
  find("reference").dataset.own = "yes";
  showKind();
  find("unit").focus();
}

async function scan() {
  const [file] = find("scan").files;
  if (!file) return;
  find("scan").value = "";
  const detector = new BarcodeDetector({ formats: ["qr_code", "data_matrix"] });
  const found = await detector.detect(await createImageBitmap(file)).catch(() => []);
  for (const { rawValue } of found) {
    try {
      find("unit").value = parseBattery(rawValue);
      find("wrong").hidden = true;
      return;
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
    }
  }
  find("wrong").textContent = words.said.scan_none;
  find("wrong").hidden = false;
}

async function offerScan() {
  const formats = (await globalThis.BarcodeDetector?.getSupportedFormats?.().catch(() => [])) ?? [];
  find("scanning").hidden = !formats.includes("qr_code");
}

// --- What waits -----------------------------------------------------------------------------------------------------

async function showRows() {
  const rows = await store.rows();
  const waiting = rows.filter(({ state }) => state === "waiting").length;
  const { said } = words;
  find("send").hidden = waiting === 0;
  const counted = waiting === 1 ? said.waiting_one : fill(said.waiting_other, { count: waiting });
  find("count").textContent = waiting > 0 ? counted : rows.length > 0 ? said.all_answered : said.queue_empty;
  const acts = {
    anew: fillAnew,
    discard: async (row) => {
      await store.discard(row.place);
      await showRows();
      find("count").focus();
    },
  };
  find("rows").replaceChildren(...rows.reverse().map((row) => showRow(row, words, acts)));
}

async function send() {
  const line = find("sent");
  const rows = await store.rows();
  if (!identity || isElsewhere() || !rows.some(({ state }) => state === "waiting")) return;
  line.textContent = words.said.sending;
  find("send").disabled = true;
  try {
    const ended = await sendAll(store, identity);
    line.textContent = ended === "sent" ? "" : words.said[ended];
  } finally {
    find("send").disabled = false;
  }
  await showRows();
}

// --- The beginning --------------------------------------------------------------------------------------------------

function listen() {
  find("make").addEventListener("click", renew);
  find("check").addEventListener("click", async () => {
    await checkStanding();
    await send();
  });
  find("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(find("code").value).catch(() => find("code").select());
    find("copied").textContent = words.said.copied;
  });
  find("kind").addEventListener("change", showKind);
  find("reference").addEventListener("input", () => {
    find("reference").dataset.own = "yes";
  });
  find("form").addEventListener("submit", sign);
  find("scan").addEventListener("change", scan);
  find("send").addEventListener("click", send);
  globalThis.addEventListener("online", async () => {
    await checkStanding();
    await send();
  });
}

function refuse(obstacle) {
  find("obstacle").textContent = words.said[obstacle];
  find("obstacle").hidden = false;
}

async function begin() {
  try {
    words = await fetchWords();
  } catch {
    find("obstacle").textContent = find("obstacle").dataset.failed;
    find("obstacle").hidden = false;
    return undefined;
  }
  const obstacle = await findObstacle();
  if (obstacle) return refuse(`obstacle_${obstacle}`);
  try {
    store = await openStore();
    identity = await store.identity();
  } catch {
    return refuse("failed");
  }
  place.hidden = false;
  listen();
  emptyForm();
  find("unit").value = new URLSearchParams(location.search).get("unit") ?? "";
  showIdentity();
  await showRows();
  return Promise.all([keepPage().catch(() => {}), offerScan(), checkStanding().then(send)]);
}

begin();
