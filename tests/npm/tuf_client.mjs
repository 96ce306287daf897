// Follows a catalogue with tuf-js: node tuf_client.mjs STATE URL TARGET. STATE holds root.json, and what was
// seen before. Prints the target as JSON, after it was downloaded and checked.
import fs from "node:fs";
import path from "node:path";
import { Updater } from "tuf-js";

const [state, url, target] = process.argv.slice(2);
const targetDir = path.join(state, "targets");
fs.mkdirSync(targetDir, { recursive: true });
try {
  const updater = new Updater({
    metadataDir: state,
    metadataBaseUrl: `${url}/tuf`,
    targetDir,
    targetBaseUrl: url,
    config: { fetchRetries: 0 },
  });
  await updater.refresh();
  const info = await updater.getTargetInfo(target);
  if (!info) throw new Error("no such target");
  const file = await updater.downloadTarget(info, path.join(targetDir, "manifest.json"));
  console.log(JSON.stringify({ ...info.toJSON(), bytes: fs.statSync(file).size }));
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exit(1);
}
