// What the shopper sees for each state of the cart. Functions from a screen to elements; nothing is kept here.

import { button, drawing, h, sign } from "./dom.js";
import { aboutScale, weighing, weighingActions } from "./weighing.js";
import { knows, mass, money, say, unbroken } from "./words.js";

const NOTICES_MAX = 2;

// Notices that a person of the store must settle; every other one is for the shopper.
const FOR_STAFF = ["saving_failed", "exit_unpaid", "over_capacity"];

const SHOPPING = ["shopping", "closing"];
const RESTING = ["idle", "cancelled", "cleared"]; // nobody shops: the bill of the last one is nobody's business
const SPEAKING = ["closing", "locked", "paid", "out_of_service"];

export function statusParts(screen) {
  const look = attention(screen);
  const help = screen.help || RESTING.includes(screen.phase) ? null : button(say("help"), "help", { look: "help" });
  const mark = screen.not_for_trade ? h("span", { class: "mark" }, say("not_for_trade")) : null;
  return [h("p", { class: `state ${look}`, role: "status" }, sign(look), h("span", {}, say(`state_${look}`))), mark, help];
}

// "ok", "look" (the shopper should look) or "staff": the worst of what the screen holds.
export function attention(screen) {
  const notices = screen.notices;
  if (screen.help || screen.phase === "out_of_service" || screen.receipt === "rejected") return "staff";
  if (notices.some((code) => FOR_STAFF.includes(code))) return "staff";
  return screen.prompt || notices.length ? "look" : "ok";
}

export function noticeParts(screen) {
  const all = [...(screen.help ? ["help_called"] : []), ...screen.notices];
  const codes = [...new Set(all)].filter((code) => !saidAlready(code, screen));
  codes.sort((a, b) => FOR_STAFF.includes(b) - FOR_STAFF.includes(a));
  return codes.slice(0, NOTICES_MAX).map((code) => {
    const look = FOR_STAFF.includes(code) || code === "help_called" ? "staff" : "look";
    const helped = code === "help_called" ? button(say("helped"), "helped", { look: "quiet" }) : null;
    return h("div", { class: `notice ${look}` }, sign(look), h("p", {}, say(`notice_${code}`, [], "notice_other")), helped);
  });
}

// The middle of the page says some things already, and larger.
function saidAlready(code, screen) {
  if (code === "hands_off") return screen.phase === "closing" && !screen.prompt;
  if (code === "not_scanned") return Boolean(screen.prompt) || screen.suggestions.length > 0;
  return code === "out_of_service" && screen.phase === "out_of_service";
}

export function mainParts(screen) {
  if (RESTING.includes(screen.phase)) return [welcome(screen.phase === "idle" ? "welcome" : screen.phase)];
  if (SPEAKING.includes(screen.phase) && !screen.prompt) return [receipt(screen), speaking(screen)];
  if (screen.weighed) return [receipt(screen), weighing(screen)];
  return [receipt(screen), h("section", { class: "side" }, ...side(screen))];
}

export function barParts(screen) {
  if (RESTING.includes(screen.phase)) return [];
  return [total(screen), h("div", { class: "actions" }, ...actions(screen))];
}

export function total(screen) {
  const units = screen.lines.reduce((sum, line) => sum + line.count, 0);
  const items = units === 1 ? say("items_one") : say("items", [String(units)]);
  return h(
    "div",
    { class: "total", id: "total" },
    h("span", { class: "label" }, `${say("total")} · ${items}`),
    h("strong", {}, money(screen.total_minor, screen.currency)),
  );
}

export function price(item, currency) {
  return say(item.sold_by === "weight" ? "per_kg" : "each", [money(item.price_minor, currency)]);
}

function actions(screen) {
  const { phase, lines, waiting } = screen;
  if (screen.weighed) return weighingActions(screen);
  if (screen.prompt) return answers(screen.prompt);
  if (phase === "locked") {
    const pay = say("pay", [money(screen.total_minor, screen.currency)]);
    return [button(say("resume"), "resume"), button(pay, "pay", { look: "primary" })];
  }
  if (phase === "closing") return [button(say("resume"), "resume")];
  if (phase === "shopping") {
    const empty = lines.length === 0 && waiting.length === 0;
    const leave = empty ? button(say("cancel"), "cancel") : button(say("checkout"), "checkout", { look: "primary" });
    return [button(say("find"), "open-find"), button(say("own"), "own"), leave];
  }
  if (phase === "paid" && screen.receipt !== "saving" && screen.receipt !== "") {
    return [button(say("done"), "done", { look: "primary" })];
  }
  return [];
}

// Answers that every question takes besides its own.
function answers(prompt) {
  const answer = (value, text) => button(say(text), "answer", { value, prompt: prompt.id });
  if (prompt.kind === "what_removed") return [answer("out", "option_back")];
  return [button(say("find"), "open-find"), answer("own", "own"), answer("out", "option_out")];
}

function welcome(key) {
  return h(
    "section",
    { class: "welcome" },
    h("div", { class: "parade" }, ...["apple", "milk", "carrots", "banana", "juice"].map(drawing)),
    h("h1", {}, say(key)),
    h("p", {}, say(`${key}_hint`)),
    button(say("start"), "start", { look: "primary huge" }),
    h("div", { class: "print" }, h("p", { class: "faint" }, say("guest")), aboutScale()),
  );
}

function receipt(screen) {
  const rows = [...screen.lines].reverse().map((line) => receiptLine(line, screen.currency));
  const list = rows.length ? h("ul", {}, ...rows) : h("p", { class: "faint" }, say("empty_cart"));
  const title = h("h2", {}, say("receipt"));
  return h("section", { class: "receipt", "data-scroll": "receipt", tabindex: "0", "aria-label": say("receipt") }, title, list);
}

function receiptLine(line, currency) {
  const each = money(line.unit_price_minor, currency);
  const much = line.sold_by === "weight" ? mass(line.mass_mg) : line.count > 1 ? String(line.count) : "";
  const unit = line.sold_by === "weight" ? say("per_kg", [each]) : each;
  const detail = [much ? `${much} × ${unit}` : "", line.state === "saved" ? "" : say(`line_${line.state}`)];
  return h(
    "li",
    { class: `line ${line.state}` },
    drawing(line.product_id),
    h("span", { class: "name" }, unbroken(line.name), h("small", {}, detail.filter(Boolean).join(" · "))),
    h("strong", {}, money(line.amount_minor, currency)),
  );
}

function side(screen) {
  if (screen.prompt) return question(screen.prompt);
  const parts = [];
  if (screen.waiting.length) parts.push(h("h1", {}, say("put_in")), ...screen.waiting.map((item) => waits(item, screen)));
  if (screen.suggestions.length) {
    const picks = screen.suggestions.map((s) => choice(s.name, "pick", s.product_id, 0, s.picture));
    parts.push(h("h1", {}, say("is_it")), h("div", { class: "choices" }, ...picks.slice(0, 4)));
  }
  return parts.length ? parts : hint();
}

function hint() {
  return [
    h("div", { class: "parade" }, drawing("milk"), drawing("apple")),
    h("p", { class: "lead" }, say("empty_hint")),
    h("p", { class: "faint" }, say("loose_hint")),
  ];
}

function waits(item, screen) {
  const label = say("withdraw", [item.name]);
  return h(
    "div",
    { class: "waiting" },
    drawing(item.product_id),
    h("span", { class: "name" }, unbroken(item.name), h("small", {}, price(item, screen.currency))),
    h(
      "span",
      { class: "choose" },
      item.sold_by === "weight" ? button(say("weigh"), "weigh", { value: item.product_id, look: "quiet" }) : null,
      button(say("not_wanted"), "withdraw", { value: item.product_id, look: "quiet", label }),
    ),
  );
}

function question(prompt) {
  const text = knows(`ask_${prompt.kind}`) ? `ask_${prompt.kind}` : "ask_other";
  const choices = prompt.options.map((o) => choice(optionText(o), "answer", o.value, prompt.id, o.picture));
  const parts = [
    h("h1", { id: "question", tabindex: "-1" }, unbroken(say(text, prompt.args))),
    h("p", {}, unbroken(say(choices.length ? `${text}_hint` : `${text}_bare`, prompt.args, `${text}_hint`))),
    choices.length ? h("div", { class: "choices", "data-scroll": "choices" }, ...choices) : null,
  ];
  return parts.filter(Boolean);
}

// An answer that is no product has a text of ours: "yes:milk" is said as option_yes with the name that came along.
function optionText(option) {
  const kind = `option_${option.value.split(":")[0]}`;
  return knows(kind) ? say(kind, [option.name]) : option.name;
}

function choice(name, action, value, prompt, picture) {
  return button(unbroken(name), action, { value, prompt, picture, look: "choice" });
}

function speaking(screen) {
  const args = [money(screen.total_minor, screen.currency)];
  const key = screen.phase === "paid" ? `receipt_${screen.receipt || "saving"}` : screen.phase;
  const calm = screen.phase === "out_of_service" || screen.receipt === "rejected" ? "staff" : "ok";
  const big = screen.phase === "locked" ? h("strong", { class: "amount" }, args[0]) : sign(calm);
  const number = screen.charge_id && screen.receipt === "receipted" ? say("receipt_number", [screen.charge_id.slice(-12)]) : "";
  return h(
    "section",
    { class: `side speaking ${calm}` },
    screen.phase === "closing" ? h("div", { class: "busy", "aria-hidden": "true" }) : big,
    h("h1", {}, say(key, args)),
    knows(`${key}_hint`) ? h("p", {}, say(`${key}_hint`, args)) : null,
    number ? h("p", { class: "faint" }, number) : null,
  );
}

export function mayFind(screen) {
  return SHOPPING.includes(screen.phase);
}
