// A blob as a file of the person at the page.

const KEPT = 60000; // milliseconds that a browser has to begin

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}

export const stemOf = (name) => name.replace(/\.[^./]*$/, "");
