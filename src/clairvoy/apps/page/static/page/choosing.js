// Ways to hand in a picture: a file that is chosen, dropped or pasted, or an example.

/** Call `open` with every picture that is handed in, and `refuse` for what is none. */
export function startChoosing(open, refuse) {
  const input = document.getElementById("file");
  const drop = document.getElementById("drop");
  const first = (files) => {
    const file = [...files].find((one) => one.type.startsWith("image/") || !one.type);
    if (file) open(file);
    else refuse();
  };
  input.addEventListener("change", () => {
    if (input.files.length) first(input.files);
    input.value = ""; // the same file may be chosen again
  });
  // The whole page takes what is dropped: a miss would make the browser leave the page.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    first(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) first(event.clipboardData.files);
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", async () => {
      const name = button.dataset.example;
      const blob = await (await fetch(name)).blob();
      open(new File([blob], name.split("/").pop(), { type: "image/jpeg" }));
    });
  }
}
