// Bundles what the pages load into agent_desktop/static/vendor: one ES module each, its licences beside it.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MODULES = { "jssip.js": "jssip", "htmx.js": "htmx.org", "wavesurfer.js": "wavesurfer.js", "uplot.js": "uplot" };
const STYLES = { "uplot.css": "uplot/dist/uPlot.min.css" };

const [target, stamp] = process.argv.slice(2);
const fresh = `${target}.new`;
rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh, { recursive: true });

const sha256 = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
const manifest = (name) => JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8"));
const packageOf = (path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];

function licence(name) {
  const folder = join("node_modules", name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const copy = `${name.replace("/", "-")}.LICENSE.txt`;
  if (file) copyFileSync(join(folder, file), join(fresh, copy));
  else writeFileSync(join(fresh, copy), `${manifest(name).license}\n`);
  return copy;
}

const describe = (name) => ({ name, version: manifest(name).version, licence: manifest(name).license, text: licence(name) });
const files = {};
for (const [file, name] of Object.entries(MODULES)) {
  const outfile = join(fresh, file);
  const { metafile } = await build({
    stdin: { contents: `export { default } from ${JSON.stringify(name)};`, resolveDir: "." },
    bundle: true, format: "esm", platform: "browser", target: "es2022", minify: true, legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' }, logLevel: "error", metafile: true, outfile,
  });
  const inside = [...new Set(Object.keys(metafile.inputs).map(packageOf).filter(Boolean))].sort();
  files[file] = { sha256: sha256(outfile), packages: inside.map(describe) };
}
for (const [file, source] of Object.entries(STYLES)) {
  const outfile = join(fresh, file);
  copyFileSync(join("node_modules", source), outfile);
  files[file] = { sha256: sha256(outfile), packages: [describe(packageOf(`node_modules/${source}`))] };
}
writeFileSync(join(fresh, "VENDOR.json"), `${JSON.stringify({ stamp, files }, null, 2)}\n`);
if (existsSync(target)) rmSync(target, { recursive: true });
renameSync(fresh, target);
