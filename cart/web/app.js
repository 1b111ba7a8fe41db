// The shopper's page. The cart says what to show (stream.js), view.js draws it, and touches go back to the cart.
// The page decides nothing and keeps nothing that matters: reload it at any time.

import { button, fill } from "./dom.js";
import { createFind, useCurrency } from "./find.js";
import { listen, send } from "./stream.js";
import { barParts, mainParts, mayFind, noticeParts, statusParts, total } from "./view.js";
import { loadScale } from "./weighing.js";
import { loadWords, say } from "./words.js";

const TOAST_MS = 4_000;
const LANGUAGES = ["en"];

const part = (id) => document.getElementById(id);

let screen = null; // the newest screen
let find = null; // the open search, or null
let pressed = false; // a finger is down: what is under it must not change
let toastTimer = 0;

function draw() {
  if (!screen || pressed) return;
  if (find && !mayFind(screen)) find = null;
  document.body.dataset.phase = screen.phase;
  const suggesting = screen.suggestions.length > 0 && screen.waiting.length === 0;
  document.body.classList.toggle("asking", !find && (Boolean(screen.prompt) || suggesting));
  document.body.classList.toggle("finding", Boolean(find));
  document.body.classList.toggle("weighing", !find && Boolean(screen.weighed));
  useCurrency(screen.currency);
  const { phase, lines, waiting, prompt, suggestions, notices, total_minor, currency, receipt, help, weighed } = screen;
  fill(part("status"), statusParts(screen), JSON.stringify([phase, prompt, notices, help, receipt, screen.not_for_trade]));
  fill(part("notices"), noticeParts(screen), JSON.stringify([phase, notices, help]));
  const bill = [phase, lines, total_minor, currency, receipt];
  if (find) {
    fill(part("main"), [find], "find");
    fill(part("bar"), [total(screen), button(say("back"), "close-find")], JSON.stringify(["find", ...bill]));
    return;
  }
  const changed = fill(part("main"), mainParts(screen), JSON.stringify([...bill, waiting, prompt, suggestions, weighed]));
  if (changed && prompt) part("question")?.focus({ preventScroll: true });
  const next = weighed && [weighed.tared, weighed.refused, weighed.price_minor];
  fill(part("bar"), barParts(screen), JSON.stringify([...bill, waiting, prompt, next]));
}

function openFind() {
  find = createFind((productId) => {
    find = null;
    act({ action: "pick", value: productId });
    draw();
  });
  draw();
  part("find-field")?.focus();
}

async function act({ action, value = "", prompt = 0 }) {
  const status = await send({ action, value, prompt, revision: screen.revision });
  if (status === 409) toast(say("tap_changed"));
  else if (status !== 202) toast(say("tap_failed"));
  else if (action === "own") toast(say("own_done"));
}

function toast(text) {
  clearTimeout(toastTimer);
  part("toast").textContent = text;
  toastTimer = setTimeout(() => part("toast").replaceChildren(), TOAST_MS);
}

document.addEventListener("click", (event) => {
  const touched = event.target.closest("button[data-action]");
  if (!touched || !screen) return;
  const { action, value, prompt } = touched.dataset;
  if (action === "open-find") openFind();
  else if (action === "close-find") {
    find = null;
    draw();
  } else {
    touched.disabled = true; // until the answer: a double touch is one touch
    act({ action, value, prompt: Number(prompt) }).finally(() => (touched.disabled = false));
  }
});

document.addEventListener("pointerdown", () => (pressed = true));
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    pressed = false;
    setTimeout(draw); // after the click that this may be
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && find) {
    find = null;
    draw();
  }
});
document.addEventListener("contextmenu", (event) => event.preventDefault());

function onLine(up) {
  part("lost").hidden = up;
  document.body.classList.toggle("offline", !up);
}

async function main() {
  const wanted = new URLSearchParams(location.search).get("lang");
  await loadWords(LANGUAGES.includes(wanted) ? wanted : LANGUAGES[0]);
  await loadScale();
  document.title = say("title");
  part("main").textContent = say("starting");
  part("lost").append(say("lost"), document.createElement("small"));
  part("lost").lastChild.textContent = say("lost_hint");
  await listen((newest) => {
    screen = newest;
    draw();
  }, onLine);
}

main();
