/** The page that checks a chosen or dropped proof; no byte of it is sent. */

import { check, fetchServerTrust, fetchWords, readFile, trustText } from "./checking.js";

const form = document.getElementById("checker");
const status = document.getElementById("said");
const into = document.getElementById("result");
const [bundleInput, trustInput] = [document.getElementById("bundle"), document.getElementById("trust")];
const serverInput = document.getElementById("server");
let newest = 0;
let words = null;

/** The trust to check under, or the sentence that says why there is none. */
async function chosenTrust() {
  const [file] = trustInput.files;
  if (file) {
    const { bytes, refused } = await readFile(file, words.trust_bytes_max, words);
    return refused ? { refused } : { trust: trustText(bytes), source: "own" };
  }
  if (serverInput.checked) return { trust: await fetchServerTrust(), source: "server" };
  return { trust: null, source: "none" };
}

async function run() {
  const [file] = bundleInput.files;
  if (!file) return;
  const turn = ++newest;
  words ??= await fetchWords(form.dataset.words);
  const { bytes, refused } = await readFile(file, words.bundle_bytes_max, words);
  const trust = refused ? { refused } : await chosenTrust();
  if (turn !== newest) return; // another file was chosen meanwhile
  if (trust.refused) {
    into.replaceChildren();
    status.textContent = trust.refused;
    return;
  }
  await check({ bundle: bytes, ...trust }, words, { status, into });
}

function start() {
  run().catch(() => {
    status.textContent = form.dataset.failed;
  });
}

/** Give dropped files to the inputs: what ends in .json is trust, what else comes is the proof. */
function take(files) {
  for (const file of files) {
    const box = new DataTransfer();
    box.items.add(file);
    (file.name.endsWith(".json") ? trustInput : bundleInput).files = box.files;
  }
  start();
}

for (const input of [bundleInput, trustInput, serverInput]) input.addEventListener("change", start);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
document.addEventListener("dragleave", () => form.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  take(event.dataTransfer.files);
});
form.hidden = false;
