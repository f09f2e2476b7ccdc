/** On a passport: the button that checks its proof. What it needs is loaded when it is pressed, not before. */

const place = document.getElementById("check");
const button = place.querySelector("button");
const status = place.querySelector("[role=status]");

async function start() {
  button.disabled = true;
  try {
    const { beginOnPassport } = await import("./checking.js");
    await beginOnPassport(place);
  } catch {
    status.textContent = place.dataset.failed;
  } finally {
    button.disabled = false;
  }
}

button.addEventListener("click", start);
place.hidden = false;
