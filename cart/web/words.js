// Words, money and mass, in the shopper's language.

let strings = {};
let language = "en";

export async function loadWords(wanted) {
  language = wanted;
  const answer = await fetch(`/strings/${wanted}.json`);
  strings = await answer.json();
  document.documentElement.lang = wanted;
}

// The text of this key with {0}, {1}... filled in; the text of `other` where there is none of that key.
export function say(key, args = [], other = undefined) {
  const text = strings[key] ?? strings[other] ?? key;
  return text.replace(/\{(\d)\}/g, (_, i) => args[Number(i)] ?? "");
}

export function knows(key) {
  return key in strings;
}

// An amount in minor units (cents) as this language writes it; a currency has the decimals that it has.
export function money(minor, currency) {
  if (!currency) return "";
  const format = new Intl.NumberFormat(language, { style: "currency", currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

export function mass(mg) {
  const grams = Math.round(mg / 1_000);
  if (grams < 1_000) return `${grams}\u00a0g`;
  return `${new Intl.NumberFormat(language, { minimumFractionDigits: 3 }).format(grams / 1_000)}\u00a0kg`;
}

// A number and its unit stay on one line: "1 l" in a name never breaks.
export function unbroken(name) {
  return name.replace(/(\d) (g|kg|ml|l)\b/g, "$1\u00a0$2");
}
