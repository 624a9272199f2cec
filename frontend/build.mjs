// Bundles each widget module and style sheet into the Python package.
// Usage: node build.mjs
import { build } from "esbuild";
import { readFile, rm, stat, mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "margin_widgets", "widgets", "static");
const styled = ["table", "marks", "html"];
const modules = [...styled, "figure"];
const styles = ["theme", ...styled];

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const shared = { bundle: true, minify: true, outdir: out, absWorkingDir: here, logLevel: "warning" };
await Promise.all([
  build({
    ...shared,
    entryPoints: modules.map((name) => `src/${name}.ts`),
    format: "esm",
    target: "es2022",
    legalComments: "none",
  }),
  build({ ...shared, entryPoints: styles.map((name) => `css/${name}.css`) }),
]);

// The MIT licence asks for its text to travel with the bundled copy.
const tabulator = path.join(here, "node_modules", "tabulator-tables");
const { version } = JSON.parse(await readFile(path.join(tabulator, "package.json"), "utf8"));
const licence = await readFile(path.join(tabulator, "LICENSE"), "utf8");
await writeFile(
  path.join(out, "THIRD-PARTY.txt"),
  `table.js contains Tabulator ${version} (https://tabulator.info).\n\n${licence}`,
);

for (const name of [...modules.map((m) => `${m}.js`), ...styles.map((s) => `${s}.css`)]) {
  const { size } = await stat(path.join(out, name));
  console.log(`${name.padEnd(10)} ${(size / 1024).toFixed(1).padStart(7)} kB`);
}
