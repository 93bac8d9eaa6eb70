// Calls through Gradio's JavaScript client, for tests/web/test_js_client.py.
// node calls.mjs CALL ADDRESS [PHOTO ...] prints one JSON record per line.
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { Client } from "@gradio/client";

const [call, address, ...paths] = process.argv.slice(2);
const app = await Client.connect(address, { events: ["data", "status"] });
const photos = await Promise.all(
  paths.map(async (path) => new File([await readFile(path)], basename(path))),
);
const print = (record) => console.log(JSON.stringify(record));

const calls = {
  async enhance() {
    const options = { photo: photos[0], size: "3x", format: "png" };
    const { data: [file, report] } = await app.predict("/enhance", options);
    await writeFile(file.orig_name, Buffer.from(await (await fetch(file.url)).arrayBuffer()));
    print({ name: file.orig_name, report });
  },
  async enhance_batch() {
    for await (const event of app.submit("/enhance_batch", { photos })) {
      if (event.type === "data") {
        const [file, report] = event.data;
        print({ arrived: Date.now() / 1000, name: file?.orig_name ?? null, report });
      } else if (event.stage === "error") print({ error: event.message });
    }
  },
  async cancel() {
    // The first photo is quick, the second slow: it is being worked on when the first arrives.
    const options = { background: "realesrgan", restorer: "none", tile: 32 };
    const submission = app.submit("/enhance_batch", { photos: photos.slice(0, -1), ...options });
    for await (const event of submission) {
      if (event.type === "data") {
        await submission.cancel();
        break;
      }
    }
    const photo = photos.at(-1);
    const { data: [, report] } = await app.predict("/enhance", { photo, ...options });
    print(report);
  },
  async failure() {
    try {
      await app.predict("/enhance", { photo: photos[0] });
    } catch (error) {
      print({ message: error.message });
    }
  },
  async look() {
    for (const endpoint of ["/models", "/health"]) print((await app.predict(endpoint)).data[0]);
  },
};

await calls[call]();
process.exit(); // the client keeps a connection open
