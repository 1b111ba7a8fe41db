// Building the page. Text only ever becomes text nodes and attributes, so no name or code can turn into markup.

// An element with attributes and children; a child is an element, a text, or null for nothing.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// A button; what it does is in its data attributes and is carried out by one listener in app.js.
export function button(text, action, { value = "", prompt = 0, look = "", picture = "", label = null } = {}) {
  const attributes = { type: "button", class: look, "data-action": action, "data-value": value, "data-prompt": prompt };
  attributes["data-key"] = `${action}:${value}:${prompt}`;
  attributes["aria-label"] = label;
  const image = picture ? drawing(picture) : null;
  return h("button", attributes, image, h("span", {}, text));
}

export function drawing(name) {
  return h("img", { class: "drawing", src: `/picture/${encodeURIComponent(name)}.svg`, alt: "", width: 64, height: 64 });
}

// A small sign beside words: a shape for each state, because colour alone is not seen by everybody.
export function sign(shape) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `sign ${shape}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of SIGNS[shape]) {
    const path = document.createElementNS(ns, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const SIGNS = {
  ok: ["M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z", "M6 12.5l4 4 8-9"],
  look: ["M12 1L23.5 22H.5z", "M12 8.5v7M12 18v1"],
  staff: ["M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z", "M12 5.5v8M12 17.5v1"],
};

// Replaces what a part of the page holds, only if it changed, and keeps focus and scroll where they were.
export function fill(part, children, fingerprint) {
  if (part.dataset.shown === fingerprint) return false;
  part.dataset.shown = fingerprint;
  const key = part.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const scrolled = new Map([...part.querySelectorAll("[data-scroll]")].map((e) => [e.dataset.scroll, e.scrollTop]));
  part.replaceChildren(...children.filter(Boolean));
  for (const [name, top] of scrolled) {
    const element = part.querySelector(`[data-scroll="${name}"]`);
    if (element) element.scrollTop = top;
  }
  if (key) part.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  return true;
}
