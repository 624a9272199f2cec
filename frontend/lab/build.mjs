// Bundles the compiled sources into a prebuilt extension and puts it into the Python package.
// Usage: node build.mjs
import { spawnSync } from "node:child_process";
import { copyFile, readdir, rm, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "..", "margin_widgets", "labextension");
const packages = path.join(here, "node_modules");

await rm(out, { recursive: true, force: true });
const done = spawnSync(
  process.execPath,
  [
    path.join(packages, "@jupyter", "builder", "lib", "build-labextension.js"),
    "--core-package-file",
    path.join(packages, "@jupyterlab", "core-meta", "core.package.json"),
    here,
  ],
  { cwd: here, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" },
);
if (done.status !== 0) {
  console.error(done.stdout + done.stderr);
  process.exit(done.status ?? 1);
}
await copyFile(path.join(here, "install.json"), path.join(out, "install.json"));

let total = 0;
for (const name of await readdir(path.join(out, "static"))) {
  total += (await stat(path.join(out, "static", name))).size;
}
console.log(`labextension ${(total / 1024).toFixed(1).padStart(7)} kB`);
