// Bundles the console: one script, one style sheet and one icon with content hashes in their names, a page that refers
// to them, and a compressed version of each.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const FOLDER = "console";

interface Built {
  /** File contents by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Source files, relative to the project's root. */
  readonly inputs: readonly string[];
}

/** Builds the console without writing anything. */
export function buildConsole(projectRoot: string): Built {
  const { outputFiles, metafile } = buildSync({
    absWorkingDir: projectRoot,
    entryPoints: { console: `${FOLDER}/src/main.tsx` },
    // Not written; only determines the names of the files.
    outdir: `${FOLDER}/dist`,
    entryNames: "[name]-[hash]",
    metafile: true,
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["chrome123", "firefox125", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
    legalComments: "eof",
    logLevel: "silent",
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  const icon = readFileSync(join(projectRoot, FOLDER, "icon.svg"));
  files.set(`icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`, icon);
  files.set("index.html", page(projectRoot, [...files.keys()]));
  for (const [name, content] of [...files]) {
    files.set(`${name}.br`, brotli(content));
    // The gzip header has no timestamp, so the same sources give the same image.
    files.set(`${name}.gz`, gzipSync(content, { level: 9 }));
  }
  const own = ["build.ts", "index.html", "icon.svg", "package.json", "tsconfig.json"];
  return { files, inputs: [...Object.keys(metafile.inputs), ...own.map((name) => `${FOLDER}/${name}`)] };
}

function page(projectRoot: string, names: readonly string[]): Buffer {
  const named = (extension: string): string => {
    const found = names.find((name) => extname(name) === extension);
    if (found === undefined) throw new Error(`the console has no ${extension} file`);
    return found;
  };
  const template = readFileSync(join(projectRoot, FOLDER, "index.html"), "utf8");
  const filled = template
    .replace("{{icon}}", named(".svg"))
    .replace("{{style}}", named(".css"))
    .replace("{{script}}", named(".js"));
  return Buffer.from(filled);
}

function brotli(content: Uint8Array): Buffer {
  return brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
}

/** Builds the console into a folder, replacing its contents. */
export function writeConsole(projectRoot: string, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of buildConsole(projectRoot).files) writeFileSync(join(folder, name), content);
}

// node console/build.ts FOLDER
if (import.meta.main) writeConsole(resolve(import.meta.dirname, ".."), process.argv[2] ?? "console/dist");
