// The weighing of one product: weight, unit price and price together, the tare always beside them, and why not.
// Legally relevant (docs/LEGAL.md): every figure here is one that the cart sent, and nothing is computed.

import { button, drawing, h } from "./dom.js";
import { knows, money, say, unbroken } from "./words.js";

const KG = "kg"; // the symbol of the unit is the same in every language

let scale = { software: "", sealed: false, profile: "", min_mg: 0, ranges_mg: [], digit_px: 53 };

// What the scale is does not change while the cart runs: asked for once.
export async function loadScale() {
  try {
    const answer = await fetch("/scale", { signal: AbortSignal.timeout(3_000) });
    if (answer.ok) scale = { ...scale, ...(await answer.json()) };
  } catch {
    // the words and figures of the weighing itself come with the screen
  }
  document.documentElement.style.setProperty("--digit", `${scale.digit_px}px`);
}

export function weighing(screen) {
  const now = screen.weighed;
  const shown = now.state === "weight";
  return h(
    "section",
    { class: `weigh ${now.stable ? "stable" : "moving"}`, "aria-label": say("weigh") },
    h("p", { class: "product" }, drawing(now.product_id), h("span", {}, unbroken(now.name)), hint(now)),
    h(
      "dl",
      { class: "figures" },
      figure(say(now.tared ? "weigh_net" : "weigh_gross"), shown ? number(now.net_mg) : say("weigh_blank"), KG, marks(now)),
      figure(say("weigh_unit"), money(now.unit_price_minor, screen.currency), `/${KG}`),
      figure(say("weigh_price"), now.price_minor === null ? say("weigh_blank") : money(now.price_minor, screen.currency)),
    ),
    h("p", { class: "scale" }, `${say("weigh_tare")} ${shown ? kilograms(now.tare_mg) : say("weigh_blank")} · ${ranges()}`),
  );
}

export function weighingActions({ weighed }) {
  const price = button(say("weigh_take"), "price", { value: String(weighed.price_minor ?? ""), look: "primary" });
  const tare = button(say("weigh_tare_now"), "tare", { look: "primary" });
  const next = weighed.tared ? price : tare;
  next.disabled = weighed.refused !== "";
  return [button(say("weigh_leave"), "unweigh"), next];
}

// On demand: what this scale is, with the hash of its legally relevant part; staff set zero here.
export function aboutScale() {
  const hash = scale.software ? scale.software.match(/.{1,16}/g).join(" ") : say("scale_unknown");
  return h(
    "details",
    { class: "about" },
    h("summary", {}, say("scale_about")),
    h("p", {}, ranges(), " · ", scale.profile, " · ", say(scale.sealed ? "scale_sealed" : "not_for_trade")),
    h("p", { class: "hash" }, say("scale_hash"), " ", hash),
    button(say("scale_zero"), "zero"),
  );
}

// A figure with its unit smaller beside it, so that three of them fit.
function figure(label, number, unit = "", mark = "") {
  const shown = h("dd", {}, number, unit ? h("small", {}, unit) : null);
  return h("div", {}, h("dt", {}, label, mark ? h("small", {}, mark) : null), shown);
}

function marks(now) {
  if (now.state !== "weight") return "";
  return say(now.stable ? (now.zero ? "weigh_zero" : "weigh_stable") : "weigh_moving");
}

function hint(now) {
  const code = now.state === "weight" ? now.refused : now.state;
  const why = !now.tared && now.voided && !code ? `void_${now.voided}` : code;
  const next = now.tared ? "weigh_ready" : "weigh_step_tare";
  const key = why ? `weigh_${why === "moving" ? "moving_load" : why}` : next;
  const kept = now.tared && why === "below_min" && now.net_mg === 0 ? "weigh_step_put" : key;
  return h("small", { role: "status" }, say(knows(kept) ? kept : "weigh_other", [String(now.min_mg / 1_000)]));
}

function ranges() {
  const [first] = scale.ranges_mg;
  if (!first) return "";
  const tops = scale.ranges_mg.map(([top]) => top / 1_000_000).join("/");
  const steps = scale.ranges_mg.map(([, e]) => e / 1_000).join("/");
  return say("scale_ranges", [tops, String(scale.min_mg / 1_000), steps]);
}

// Always three decimals: a division of 5 g reads as 0.005.
function number(mg) {
  return new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 3 }).format(mg / 1_000_000);
}

function kilograms(mg) {
  return `${number(mg)}\u00a0${KG}`;
}
