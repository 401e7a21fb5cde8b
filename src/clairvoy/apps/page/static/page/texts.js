// What the page says, in the language that is chosen; each language is a file in texts/.

import server from "../server_limits.js";

const NAMES = ["en", "zh"];
let texts = {};

export function preferredLanguage() {
  const wanted = [stored("language"), ...navigator.languages].filter(Boolean).map((name) => name.slice(0, 2).toLowerCase());
  return wanted.find((name) => NAMES.includes(name)) ?? NAMES[0];
}

/** Load a language and say everything in it that stands on the page; what changes says itself again on "said".
 *
 * Where a server is behind the page, `data-served` is said in place of `data-text`.
 */
export async function speak(language) {
  texts = await (await fetch(new URL(`../texts/${language}.json`, import.meta.url))).json();
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  for (const element of document.querySelectorAll("[data-text]")) {
    const { text, served } = element.dataset;
    element.textContent = say((server && served) || text);
  }
  const limits = [...texts.limits, say(server ? "limitServed" : "limitHere")];
  document.getElementById("limits").replaceChildren(
    ...limits.map((limit) => Object.assign(document.createElement("li"), { textContent: limit })),
  );
  document.dispatchEvent(new Event("said"));
}

/** A text by its name, with {values} put in. */
export function say(name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** What was chosen on an earlier visit; nothing where the browser keeps nothing. */
export function stored(name) {
  try {
    return localStorage.getItem(`clairvoy-${name}`);
  } catch {
    return null;
  }
}

export function store(name, value) {
  try {
    localStorage.setItem(`clairvoy-${name}`, value);
  } catch {
    // Private windows may refuse: then it is chosen again next time.
  }
}
