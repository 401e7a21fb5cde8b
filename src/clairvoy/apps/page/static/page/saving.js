// Saving the picture at hand: in which format, and restored by whom, this browser or the server.

import { download, stemOf } from "./download.js";
import { ask } from "./engine.js";
import { fail, forget, stoppable, tell } from "./news.js";
import { clear, ownSuffix, server } from "./server.js";
import { say } from "./texts.js";

const element = (id) => document.getElementById(id);
const engines = element("controls").elements.engine;
const BY_BROWSER = ["png", "jpg"];

let opened = null; // the picture at hand: {file, opaque, bits, shownByServer}
let preferred = "browser"; // engine that was chosen

/** Listen to the button. `asked` gives {strength, force} as they are now. */
export function startSaving(asked) {
  element("save").addEventListener("click", () => save(asked()));
  element("engines").hidden = !server;
  for (const radio of engines) {
    radio.addEventListener("change", () => {
      preferred = engines.value;
      offerFormats();
    });
  }
  document.addEventListener("said", tellReason);
}

/** Offer to save another picture: what the browser cannot do is chosen for it. */
export function offerSaving(picture) {
  opened = picture;
  const [here] = engines;
  here.disabled = picture.shownByServer;
  engines.value = server && (picture.shownByServer || picture.bits > 8) ? "server" : preferred;
  offerFormats();
  tellReason();
}

export const hold = (held) => (element("save").disabled = held || !opened);

function offerFormats() {
  const format = element("format"), here = engines.value === "browser";
  for (const option of format.options) {
    const canBe = here ? BY_BROWSER.includes(option.value) : true;
    option.hidden = !canBe;
    // JPEG knows no transparency
    option.disabled = !canBe || (option.value === "jpg" && !opened.opaque);
  }
  const own = opened.opaque && opened.file.type === "image/jpeg" ? "jpg" : "png";
  format.value = here ? own : "";
  element("save-means").textContent = say(here ? "saveMeans" : "saveMeansServer");
}

function tellReason() {
  const reason = element("engine-reason");
  reason.hidden = !opened || !server || (!opened.shownByServer && opened.bits === 8);
  if (!reason.hidden) reason.textContent = say(opened.shownByServer ? "engineShown" : "engineDeep");
  if (opened) element("save-means").textContent = say(engines.value === "browser" ? "saveMeans" : "saveMeansServer");
}

async function save(asked) {
  const button = element("save"), focused = document.activeElement === button;
  const { file } = opened, format = element("format").value;
  forget();
  button.disabled = true;
  try {
    const { blob, suffix } = engines.value === "browser" ? await savedHere(format, asked) : await savedByServer(file, format, asked);
    const name = `${stemOf(file.name)}.clear${suffix}`;
    download(blob, name);
    tell(() => say("saved", { name }));
  } catch (error) {
    fail(error, file.name);
  } finally {
    button.disabled = false;
    if (focused && document.activeElement === document.body) button.focus(); // a button that is disabled loses the focus
  }
}

async function savedHere(format, asked) {
  tell(() => say("saving"), 0);
  const blob = await ask("save", { format, ...asked }, (part) => tell(() => say("saving"), part));
  return { blob, suffix: `.${format}` };
}

async function savedByServer(file, format, asked) {
  const { blob, suffix } = await stoppable((signal) => clear(file, { ...asked, format: format || null }, signal, tellServer));
  return { blob, suffix: ownSuffix(file.name, suffix) };
}

/** Say what the server does: it works, or is asked again after some seconds. */
export function tellServer(seconds) {
  tell(() => (seconds ? say("serverBusy", { seconds }) : say("serverWorks")));
}
