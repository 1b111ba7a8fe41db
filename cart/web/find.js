// Finding a product by name or number: a field, keys on the screen (a cart has no keyboard), and what was found.

import { button, h } from "./dom.js";
import { price } from "./view.js";
import { say, unbroken } from "./words.js";

const LETTERS = ["abcdefghi", "jklmnopqr", "stuvwxyz"];
const DIGITS = ["123", "456", "789", "0"];

// An overlay with its own state. onPick(productId) is called for a choice; the caller closes it.
export function createFind(onPick) {
  const field = h("input", { id: "find-field", type: "search", autocomplete: "off", maxlength: 40, "aria-label": say("find_hint") });
  field.placeholder = say("find_hint");
  const found = h("div", { class: "found", role: "list", tabindex: "-1" });
  const keys = h("div", { class: "keys" });
  let digits = false;
  let asked = 0;

  async function search() {
    asked += 1;
    const mine = asked;
    try {
      const answer = await fetch(`/search?q=${encodeURIComponent(field.value)}`, { signal: AbortSignal.timeout(3_000) });
      const products = await answer.json();
      if (mine === asked) found.replaceChildren(...(products.length ? products.map(card) : [nothing("find_none")]));
    } catch {
      if (mine === asked) found.replaceChildren(nothing("find_error"));
    }
    found.scrollLeft = 0;
  }

  function type(key) {
    if (key === "delete") field.value = field.value.slice(0, -1);
    else if (key === "switch") digits = !digits;
    else field.value += key;
    if (key === "switch") drawKeys();
    else search();
  }

  function drawKeys() {
    const rows = (digits ? DIGITS : LETTERS).map((row) => [...row].map((k) => [k, k.toUpperCase()]));
    rows.at(-1).push(...(digits ? [] : [[" ", say("key_space")]]), ["delete", say("key_delete")]);
    rows.at(digits ? -1 : 0).push(["switch", say(digits ? "key_letters" : "key_digits")]);
    const wide = (key) => (key.length > 1 || key === " " ? "wide" : "");
    keys.className = digits ? "keys digits" : "keys";
    keys.replaceChildren(
      ...rows.map((row) => h("div", { class: "row" }, ...row.map(([key, text]) => button(text, "key", { value: key, look: wide(key) })))),
    );
  }

  keys.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed) type(pressed.dataset.value);
    event.stopPropagation();
  });
  found.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (chosen) onPick(chosen.dataset.value);
    event.stopPropagation();
  });
  field.addEventListener("input", search);
  drawKeys();
  search();
  return h("section", { class: "find", "aria-label": say("find_title") }, h("div", { class: "entry" }, field), found, keys);
}

let currency = "";

export function useCurrency(code) {
  currency = code;
}

function card(product) {
  const choice = button(unbroken(product.name), "pick-found", { value: product.id, picture: product.picture, look: "card" });
  choice.append(h("small", {}, price(product, currency)));
  return h("div", { role: "listitem" }, choice);
}

function nothing(key) {
  return h("p", { class: "faint" }, say(key));
}
