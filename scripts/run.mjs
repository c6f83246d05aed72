// Run by start.cjs with any Node.js from 20 on: installs Node.js 24 and the dependencies if needed, then runs
//   node scripts/start.cjs NAME [args]         scripts/commands/NAME.ts
//   node scripts/start.cjs --exec CMD [args]   a command of node_modules/.bin, or "node FILE"
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot, compileCache } from "../host/cache-dir.mjs";
import { withLock } from "../host/file-lock.mjs";
import { helpOf, isCommand, parseCommandLine } from "./cli/command-line.mjs";
import { installNode, isInstalled, missingPackages, npmCi } from "./node/install.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const stamp = join(modules, ".ollama-stack-lock");
// Commands whose name differs from their package.
const packages = { tsc: "typescript", depcruise: "dependency-cruiser" };

try {
  if (!printsHelp(process.argv.slice(2))) await start();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

/** Prints a command's help if the command line contains --help. @throws if it contains an unknown option */
function printsHelp([name = "", ...args]) {
  if (!isCommand(name)) return false;
  const { help } = parseCommandLine(name, args, process.env);
  if (help) console.log(helpOf(name));
  return help;
}

async function start() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const node = (major > 24 || (major === 24 && minor >= 2)) && major < 27 ? process.execPath : installNode();
  await ensureDependencies();
  execute(node, process.argv.slice(2));
}

/** Installs the dependencies of package-lock.json unless node_modules is marked as complete and lacks no package. */
async function ensureDependencies() {
  const expected = digest(readFileSync(join(root, "package-lock.json")));
  const current = () =>
    existsSync(stamp) && readFileSync(stamp, "utf8") === expected && missingPackages(root).length === 0;
  if (current()) return;
  const lock = join(cacheRoot(), `dependencies-${digest(root).slice(0, 12)}.lock`);
  const waiting = ({ pid }) =>
    console.error(`dependencies: waiting for process ${pid}, which is installing them`);
  await withLock(lock, waiting, () => {
    if (current()) return;
    if (!isInstalled(root)) {
      console.error("dependencies: npm ci (about 20 s)");
      rmSync(stamp, { force: true });
      npmCi(root);
    }
    writeFileSync(`${stamp}.${process.pid}`, expected);
    renameSync(`${stamp}.${process.pid}`, stamp);
  });
}

function digest(content) {
  return createHash("sha256").update(content).digest("hex");
}

/** Runs a script in Node.js 24, and exits with its exit code or signal. */
function execute(node, [first, ...rest]) {
  if (first === undefined)
    throw new Error("usage: node scripts/start.cjs NAME [args] | --exec COMMAND [args]");
  const [file, args] = command(node, first, rest);
  const path = [dirname(node), join(modules, ".bin"), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path, NODE_COMPILE_CACHE: compileCache() };
  // Requests to the stack's own services never use a proxy; those to the internet find it themselves.
  delete env.NODE_USE_ENV_PROXY;
  const child = spawn(file, args, { stdio: "inherit", env });
  // A terminal sends interrupts to the child too; signals to this process alone are passed on.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`error: cannot start ${file}: ${error.message}`);
    process.exitCode = 127;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function command(node, first, rest) {
  if (first !== "--exec" && !isCommand(first)) throw new Error(`there is no command ${first}`);
  if (first !== "--exec") return [node, [join(root, "scripts", "commands", `${first}.ts`), ...rest]];
  const [name, ...args] = rest;
  if (name === undefined) throw new Error("--exec needs a command");
  if (name === "node") return [node, args];
  // The entry point itself: on Windows .bin holds shell wrappers that cannot be spawned without a shell.
  return [node, [entryPoint(name), ...args]];
}

function entryPoint(name) {
  const manifest = join(modules, packages[name] ?? name, "package.json");
  if (!existsSync(manifest)) throw new Error(`no package ${name} in node_modules`);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[name]);
}
