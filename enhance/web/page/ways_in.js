// Photos also come in as a folder, from the clipboard, and by dropping them anywhere on the page.
() => {
  const input = () => document.querySelector("#files input[type=file]");
  const isPhoto = ({ name }) => {
    const kinds = input().accept.split(",").map((kind) => kind.trim().toLowerCase());
    return !name.startsWith(".") && kinds.some((kind) => name.toLowerCase().endsWith(kind));
  };
  const give = (files) => {
    const all = new DataTransfer();
    for (const file of [...files].filter(isPhoto)) all.items.add(file);
    if (!all.files.length) return;
    input().files = all.files;
    input().dispatchEvent(new Event("change", { bubbles: true }));
  };
  /** The files of a dropped file or folder. Adds the names of what cannot be read to `unread`. */
  const inside = async (entry, unread) => {
    try {
      if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
      const reader = entry.createReader();
      const found = [];
      for (let some = [null]; some.length; found.push(...some)) {
        some = await new Promise((done, fail) => reader.readEntries(done, fail));
      }
      return (await Promise.all(found.map((one) => inside(one, unread)))).flat();
    } catch {
      unread.push(entry.name);
      return [];
    }
  };
  document.querySelector("#folder").addEventListener("click", () => {
    const chosen = document.createElement("input");
    Object.assign(chosen, { type: "file", webkitdirectory: true });
    chosen.onchange = () => give(chosen.files);
    chosen.click();
  });
  document.addEventListener("paste", (event) => give(event.clipboardData.files));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation(); // Gradio's own drop zone knows no folders
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const unread = [];
    // The browser answers only before anything is awaited. Pictures from other pages have no entry.
    const found = items.map(async (item) => {
      const entry = item.webkitGetAsEntry();
      const files = entry ? await inside(entry, unread) : [item.getAsFile()].filter(Boolean);
      // A folder may have other files besides.
      if (!entry?.isDirectory) unread.push(...files.filter((f) => !isPhoto(f)).map((f) => f.name));
      return files;
    });
    give((await Promise.all(found)).flat());
    document.querySelector("#unread").dataset.names = unread.join(", ");
  }, true);
}
