// Node.js from npm, into the cache. Plain JavaScript for whatever Node.js the machine has: see ../run.mjs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot } from "../../host/cache-dir.mjs";

// Node.js 20.0 to 20.10 has no import.meta.dirname.
const here = dirname(fileURLToPath(import.meta.url));

export function installNode() {
  const lock = readFileSync(join(here, "package-lock.json"));
  const key = createHash("sha256").update(lock).digest("hex").slice(0, 12);
  const target = join(cacheRoot(), `node-${key}`);
  const platform = process.platform === "win32" ? "win" : process.platform;
  const binary = process.platform === "win32" ? "node.exe" : "node";
  const node = join("node_modules", `node-${platform}-${process.arch}`, "bin", binary);
  if (existsSync(join(target, node))) return join(target, node);

  if (!lock.includes(`"node_modules/node-${platform}-${process.arch}"`)) {
    throw new Error(
      `Node.js 24 is needed and this is ${process.version}; npm has no package of it for ${platform}-${process.arch}: install it from nodejs.org`,
    );
  }
  console.error("Node.js 24: installing it from npm (about 10 s)");
  const partial = `${target}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  for (const file of ["package.json", "package-lock.json"])
    copyFileSync(join(here, file), join(partial, file));
  try {
    npmCi(partial);
    // A concurrent run may have been first.
    if (!existsSync(join(target, node))) renameSync(partial, target);
  } catch (error) {
    if (!existsSync(join(target, node))) throw error;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return join(target, node);
}

/** Packages that package.json names and node_modules lacks, as after `npm install --omit=dev`. */
export function missingPackages(dir) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
  return Object.keys({ ...dependencies, ...devDependencies }).filter(
    (name) => !existsSync(join(dir, "node_modules", name, "package.json")),
  );
}

/**
 * Whether node_modules is what package-lock.json describes, as after a plain `npm ci`: npm then writes its own copy of
 * the lock file, without the optional packages of other platforms.
 */
export function isInstalled(dir) {
  const locked = packagesOf(join(dir, "package-lock.json"));
  const installed = packagesOf(join(dir, "node_modules", ".package-lock.json"));
  if (locked === undefined || installed === undefined || missingPackages(dir).length > 0) return false;
  return Object.entries(locked).every(([path, about]) => {
    if (!path.startsWith("node_modules/")) return true;
    const found = installed[path];
    return found === undefined ? about.optional === true : JSON.stringify(found) === JSON.stringify(about);
  });
}

function packagesOf(lock) {
  return existsSync(lock) ? JSON.parse(readFileSync(lock, "utf8")).packages : undefined;
}

// Dependencies that npm omits for NODE_ENV=production, omit=dev and similar are needed to run the project.
const everything = ["prod", "dev", "optional", "peer"].map((type) => `--include=${type}`);

/** Runs `npm ci` and prints output only if it fails. */
export function npmCi(dir) {
  const windows = process.platform === "win32";
  const args = ["ci", ...everything, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync(windows ? "npm.cmd" : "npm", args, {
    cwd: dir,
    encoding: "utf8",
    shell: windows,
    // Older names of those settings take precedence over --include.
    env: withoutSettings(["NODE_ENV", "npm_config_omit", "npm_config_only", "npm_config_production"]),
  });
  if (done.error) throw new Error(`npm cannot be started: ${done.error.message}`);
  if (done.status === 0) return;
  const stderr = done.stderr.trim().split("\n");
  const network = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.exec(done.stderr);
  if (network) {
    throw new Error(
      `no network: npm cannot reach its registry (${network[0]}); connect, or set npm's proxy, and run it again`,
    );
  }
  if (done.stderr.includes("ENOSPC"))
    throw new Error(`the disk is full: free some space for ${dir} and run it again`);
  throw new Error(`npm ci failed in ${dir}:\n${stderr.slice(-6).join("\n")}`);
}

function withoutSettings(names) {
  const left = new Set(names.map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !left.has(name.toLowerCase())));
}
