// The server behind the page, where there is one: a picture is sent to it and comes back restored; docs/serve.md.

import limits from "../server_limits.js";
import { say } from "./texts.js";

export const server = limits;

const LONGEST_PAUSE = 60; // seconds; whatever Retry-After says
const element = (id) => document.getElementById(id);

/** An answer that is no picture. `status` is that of HTTP, or UNREACHABLE or UNREADABLE. */
export class ServerError extends Error {
  constructor(status, detail = "") {
    super(detail);
    this.status = status;
  }
}
export const UNREACHABLE = "Unreachable", UNREADABLE = "Unreadable";

/** Names of files that the server takes. */
export const takes = (name) => suffixOf(name) in server.suffixes;

export function suffixOf(name) {
  return (/\.[^./]*$/.exec(name)?.[0] ?? "").toLowerCase();
}

/** Suffix of what was restored: that of the file, if it stands for the format that came back. */
export function ownSuffix(name, suffix) {
  const own = suffixOf(name);
  const same = own in server.suffixes && server.suffixes[own] === server.suffixes[suffix];
  return same ? /\.[^./]*$/.exec(name)[0] : suffix;
}

/** Restore a file: {blob, suffix, report}.
 *
 * Where the server has no place, it is asked again after the time that it says.
 * @param wanted {strength, force, format}; format null is the file's own where it can be written
 * @param tellBusy is called with the seconds before it is tried again, and with 0 when it is
 */
export async function clear(file, wanted, signal, tellBusy = () => {}) {
  if (file.size > server.bytes) throw new ServerError(413);
  await file.slice(0, 1).arrayBuffer().catch(() => { throw new ServerError(UNREADABLE); }); // it may be gone from the disk
  const { strength, force, format } = wanted;
  const asked = new URLSearchParams({ strength, force, ...(format && { format }) });
  for (;;) {
    const answer = await fetch(new URL(`../v1/clear?${asked}`, import.meta.url), {
      method: "POST", body: file, signal, headers: { "Content-Type": "application/octet-stream", ...credentials() },
    }).catch(thrown);
    if (answer.ok) {
      const named = /filename="[^"]*(\.\w+)"/.exec(answer.headers.get("Content-Disposition"));
      return {
        blob: await answer.blob().catch(thrown), suffix: named[1], report: JSON.parse(answer.headers.get("Clairvoy-Report")),
      };
    }
    if (answer.status !== 429) {
      const told = await answer.json().catch(() => ({})); // what stands before the server may answer otherwise
      throw new ServerError(answer.status, told.detail ?? answer.statusText);
    }
    const seconds = Math.min(LONGEST_PAUSE, Math.max(1, Number(answer.headers.get("Retry-After")) || 1));
    tellBusy(seconds);
    await pause(1000 * seconds, signal);
    tellBusy(0);
  }
}

function thrown(error) {
  throw error.name === "AbortError" ? error : new ServerError(UNREACHABLE);
}

/** What a token is sent as: its bytes in UTF-8, one letter each, since a header holds no others. */
function credentials() {
  const token = element("token").value.trim();
  if (!token) return {};
  return { Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(token))}` };
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

const FAULTS = {
  [UNREACHABLE]: "serverUnreachable", [UNREADABLE]: "serverUnreadable",
  401: "server401", 408: "server408", 413: "server413", 415: "server415", 422: "server422", 504: "server504",
};

/** Say what went wrong, for a person: in their language, and then as the server said it. */
export function sayFault({ status, message }) {
  const limit = { megabytes: Math.round(server.bytes / 1e6), megapixels: Math.round(server.pixels / 1e6) };
  const said = say(FAULTS[status] ?? "serverOther", { status, ...limit });
  return message ? `${said} (${message})` : said;
}

/** Show the field for a token, if it is asked for and not shown yet, and let it be typed. */
export function askForToken() {
  element("token-row").hidden = false;
  element("token").focus();
}
