// Ways to hand in pictures: files that are chosen, dropped or pasted, a folder, or an example.

import { isHidden, ofDrop, ofInput } from "./collecting.js";
import { server, takes } from "./server.js";

/** Call `open` with every single picture that is handed in, `list` with several, and `refuse` for what is none.
 *
 * Several are [{file, path}], and how many other files were among them; only a server takes them.
 */
export function startChoosing({ open, list, refuse }) {
  const input = document.getElementById("file"), folder = document.getElementById("folder");
  const drop = document.getElementById("drop");
  const hand = (files) => {
    if (server && (files.length > 1 || files[0]?.path.includes("/"))) {
      const pictures = files.filter(({ path }) => takes(path) && !isHidden(path));
      if (pictures.length) list(pictures, files.filter(({ path }) => !isHidden(path)).length - pictures.length);
      else refuse();
      return;
    }
    const found = files.find(({ file }) => file.type.startsWith("image/") || !file.type || (server && takes(file.name)));
    if (found) open(found.file);
    else refuse();
  };
  for (const one of [input, folder]) {
    one.addEventListener("change", () => {
      if (one.files.length) hand(ofInput(one));
      one.value = ""; // the same file may be chosen again
    });
  }
  // The whole page takes what is dropped: a miss would make the browser leave the page.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    hand(await ofDrop(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) hand([...event.clipboardData.files].map((file) => ({ file, path: file.name })));
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", async () => {
      const name = button.dataset.example;
      const blob = await (await fetch(name)).blob();
      open(new File([blob], name.split("/").pop(), { type: "image/jpeg" }));
    });
  }
  if (!server) return;
  input.multiple = true;
  input.accept = ["image/*", ...Object.keys(server.suffixes)].join(",");
  document.getElementById("folder-choice").hidden = false;
}
