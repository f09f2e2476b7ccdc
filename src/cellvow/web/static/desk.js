// The desk with scripts: files can be dragged, sending and importing show how far they are. Nothing needs it.

const form = document.getElementById("upload");
const job = document.getElementById("job");

function show(id, isShown) {
  document.getElementById(id).hidden = !isShown;
}

function send() {
  const request = new XMLHttpRequest();
  const bar = document.getElementById("progress");
  request.open("POST", form.action);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
  });
  request.addEventListener("load", () => {
    if (request.status === 200 && request.responseURL.includes("/desk/jobs/")) {
      location.assign(request.responseURL);
    } else {
      explain(request.responseText);
    }
  });
  request.addEventListener("error", () => explain(""));
  request.setRequestHeader("Accept", "application/json");
  show("failure", false);
  show("progress-line", true);
  form.querySelector("button").disabled = true;
  request.send(new FormData(form));
}

function explain(answer) {
  const line = document.getElementById("failure");
  try {
    line.textContent = JSON.parse(answer).detail ?? line.textContent;
  } catch {
    // The sentence of the page stands.
  }
  show("failure", true);
  show("progress-line", false);
  form.querySelector("button").disabled = false;
}

function takeDrops() {
  const place = document.getElementById("drop");
  const input = document.getElementById("file");
  for (const kind of ["dragenter", "dragover"]) {
    place.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  }
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });
}

async function follow() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (said.has_ended && said.address) {
      location.replace(said.address + location.search);
      return;
    }
    if (said.has_ended || said.state !== follow.state || said.step !== follow.step) {
      if (follow.state !== undefined) {
        location.reload();
        return;
      }
    }
    follow.state = said.state;
    follow.step = said.step;
    document.getElementById("job-progress").value = said.permille;
  } catch {
    // The node cannot be reached just now: look again later.
  }
  setTimeout(follow, 1000);
}

if (form) {
  takeDrops();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
}
if (job && job.dataset.ended === "no") setTimeout(follow, 500);
