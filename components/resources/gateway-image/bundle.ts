import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { type BuildOptions, buildSync } from "esbuild";
import { buildConsole } from "../../../console/build.ts";
import { BundleRecord } from "./bundle-cache.ts";

/** The build context of the gateway's image, relative to the project: an absolute path would differ between machines. */
export const gatewayContext = "gateway";

/** Makes the bundle readable for the container's user, regardless of the umask. */
export const modes = { folder: 0o755, file: 0o644 };

// Inputs that esbuild does not report: the installed packages and the settings of module resolution.
const surroundings = ["package.json", "package-lock.json", "tsconfig.json", `${gatewayContext}/package.json`];

/** The client of Valkey and Redis, which the server loads on demand. */
const redisClient = "./redis.cjs";

/**
 * Modules that dependencies load at startup and the gateway does not use. Loading them would take 5 % of the start.
 *
 * - node:http2: HTTP/2 of Fastify and undici
 * - semver: versions of Fastify that a plugin names
 * - thread-stream: pino's transports
 * - @opentelemetry/api: exemplars of prom-client's metrics
 */
const unusedModules = ["node:http2", "semver", "thread-stream", "@opentelemetry/api"];
const unusedModule = `${gatewayContext}/src/lib/unused-module.ts`;

/** The console's subfolder of the bundle. */
const consoleFolder = "console";

/**
 * Bundles the gateway and its console with their dependencies into `gateway/dist`, so that building the image needs no network
 * and is reproducible. Does nothing if the bundle is up to date. Returns a hash of all inputs of the image except its base.
 */
export function bundleGateway(projectRoot: string, outdir = `${gatewayContext}/dist`): string {
  const record = new BundleRecord(projectRoot, outdir);
  const files = record.unchanged() ?? bundle(projectRoot, outdir, record);
  removeOthers(
    join(projectRoot, outdir),
    files.map((path) => join(projectRoot, path)),
  );
  makeReadable(projectRoot, outdir, files);
  // The modes are part of the image.
  const hash = createHash("sha256").update(`${modes.folder.toString(8)} ${modes.file.toString(8)}\0`);
  const take = (name: string, path: string) =>
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(projectRoot, path)))
      .update("\0");
  for (const name of ["Dockerfile", ".dockerignore", "usage/README.md"])
    take(name, join(gatewayContext, name));
  for (const path of files) take(nameIn(outdir, path), path);
  return hash.digest("hex");
}

/** Returns the files of the bundle, relative to the project. */
function bundle(projectRoot: string, outdir: string, record: BundleRecord): string[] {
  const options = {
    absWorkingDir: projectRoot,
    outdir,
    metafile: true as const,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    write: false as const,
    platform: "node" as const,
    target: "node24",
    // ECMAScript modules would load Node's built-in modules with all exports: node:http would load fetch.
    format: "cjs" as const,
    // Loaded on demand, and never by the gateway: parts of Fastify, and undici's fetch, which encodes form data.
    external: [
      "@fastify/ajv-compiler",
      "@fastify/fast-json-stringify-compiler",
      "light-my-request",
      "../web/fetch/*",
      "../web/webidl",
    ],
    // Drops a second, experimental parser of undici.
    define: { esbuildDetection: "true" },
    // Identifiers stay, so that stack traces are readable.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof" as const,
    logLevel: "silent" as const,
  } satisfies BuildOptions;
  const programs = buildSync({
    ...options,
    entryPoints: {
      server: `${gatewayContext}/src/server.ts`,
      healthcheck: `${gatewayContext}/src/bin/healthcheck.ts`,
      control: `${gatewayContext}/src/bin/control-client.ts`,
    },
    alias: {
      ioredis: redisClient,
      ...Object.fromEntries(unusedModules.map((name) => [name, join(projectRoot, unusedModule)])),
    },
    external: [...options.external, redisClient],
  });
  const client = buildSync({ ...options, entryPoints: { redis: `${gatewayContext}/src/bin/redis.ts` } });
  const built = buildConsole(projectRoot);
  const outputs = new Map([
    ...[...programs.outputFiles, ...client.outputFiles].map(
      ({ path, contents }) => [record.nameOf(path), contents] as const,
    ),
    ...[...built.files].map(([name, contents]) => [join(outdir, consoleFolder, name), contents] as const),
  ]);
  for (const [path, contents] of outputs) writeIfChanged(join(projectRoot, path), contents);
  const files = [...outputs.keys()];
  const inputs = [
    ...Object.keys(programs.metafile.inputs),
    ...Object.keys(client.metafile.inputs),
    ...built.inputs,
    ...surroundings,
    record.nameOf(import.meta.filename),
  ];
  record.write(inputs, files);
  return files;
}

function makeReadable(projectRoot: string, outdir: string, files: readonly string[]): void {
  for (const folder of [outdir, join(outdir, consoleFolder)]) chmod(join(projectRoot, folder), modes.folder);
  for (const path of files) chmod(join(projectRoot, path), modes.file);
}

/** Changes the mode only if it differs, because the folder may be read-only. */
function chmod(path: string, mode: number): void {
  // Windows has no such modes; Docker's client sets its own there.
  if (process.platform !== "win32" && (statSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
}

/** Removes files of older bundles, which would end up in the image. */
function removeOthers(directory: string, files: readonly string[]): void {
  if (!existsSync(directory)) return;
  const kept = new Set(files.flatMap((path) => [nameIn(directory, path), dirname(nameIn(directory, path))]));
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
    if (!kept.has(name.replaceAll(sep, "/"))) rmSync(join(directory, name), { recursive: true, force: true });
}

/** A file's path relative to the bundle's folder, with slashes on every platform. */
function nameIn(directory: string, path: string): string {
  return relative(directory, path).replaceAll(sep, "/");
}

function writeIfChanged(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
