// Bundles the front end into app/web/static/dist: hashed names, a manifest, an icon sprite, gzip and brotli twins,
// and THIRD-PARTY-NOTICES from the packages that really went in.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const top = resolve(here, "../../..");
const out = resolve(here, "../static/dist");
const work = `${out}.new-${process.pid}`; // two builds at once must not meet
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });

// Files directly below js/ and css/ are entry points; what they import lies in their sub-folders or parts/.
const list = (folder, ending) =>
  readdirSync(join(here, folder)).filter((name) => name.endsWith(ending)).map((name) => join(here, folder, name));
const shared = { bundle: true, minify: true, metafile: true, outdir: work, entryNames: "[name]-[hash]", chunkNames: "c/[name]-[hash]",
  assetNames: "a/[name]-[hash]", loader: { ".woff2": "file", ".svg": "file" }, legalComments: "none", logLevel: "warning" };

const [scripts, styles] = await Promise.all([
  build({ ...shared, entryPoints: list("js", ".js"), format: "esm", splitting: true, target: "es2022" }),
  build({ ...shared, entryPoints: list("css", ".css"), target: ["chrome123", "firefox120", "safari17.5"] }),
]);

const manifest = {};
for (const result of [scripts, styles])
  for (const [path, facts] of Object.entries(result.metafile.outputs))
    if (facts.entryPoint) {
      const name = facts.entryPoint.split("/").pop();
      manifest[name] = relative(work, resolve(path));
      const imports = facts.imports.filter((i) => i.kind === "import-statement").map((i) => relative(work, resolve(i.path)));
      if (imports.length) manifest[`${name}:preload`] = imports;
    }
for (const font of readdirSync(join(work, "a"))) if (font.startsWith("inter-latin-wght") || font.startsWith("inter-cyrillic-wght")) manifest[font.replace(/-[A-Z0-9]{8}\.woff2$/, ".woff2")] = `a/${font}`;

const names = readFileSync(join(here, "icons.txt"), "utf8").split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
const symbols = names.map((name) => {
  const svg = readFileSync(join(top, "node_modules/bootstrap-icons/icons", `${name}.svg`), "utf8");
  return `<symbol id="${name}" viewBox="0 0 16 16">${svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "").trim()}</symbol>`;
});
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
const spriteName = `icons-${createHash("sha256").update(sprite).digest("hex").slice(0, 8)}.svg`;
writeFileSync(join(work, spriteName), sprite);
manifest["icons.svg"] = spriteName;
writeFileSync(join(work, "manifest.json"), JSON.stringify(manifest, null, 1));

const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(folder, e.name)) : [join(folder, e.name)]));
for (const file of walk(work)) {
  if (!/\.(js|css|svg)$/.test(file)) continue;
  const bytes = readFileSync(file);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }));
}

const packages = new Map();
for (const result of [scripts, styles])
  for (const input of Object.keys(result.metafile.inputs)) {
    const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)?.pop();
    if (match) packages.set(match.slice("node_modules/".length, -1), input.slice(0, input.lastIndexOf(match) + match.length));
  }
packages.set("bootstrap-icons", "node_modules/bootstrap-icons/");
const notices = [...packages].sort().map(([name, folder]) => {
  const home = resolve(top, folder);
  const about = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const text = readdirSync(home).filter((file) => /^(licen[cs]e|notice|ofl)/i.test(file)).map((file) => readFileSync(join(home, file), "utf8").trim()).join("\n\n");
  return `${name} ${about.version} (${about.license})\n\n${text || "No licence file in the package."}`;
});
writeFileSync(join(top, "THIRD-PARTY-NOTICES"),
  `Soty's front end contains these packages.\n\n${notices.join(`\n\n${"=".repeat(100)}\n\n`)}\n`);

const old = `${out}.old-${process.pid}`;
if (existsSync(out)) renameSync(out, old);
renameSync(work, out);
rmSync(old, { recursive: true, force: true });
