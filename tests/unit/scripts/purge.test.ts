import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// Only the folders; tests/e2e/environments.test.ts covers the engine's objects.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ollama-stack-purge-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

function purge(...args: string[]): Promise<{ code: number; output: string }> {
  return run(args, { DOCKER_HOST: "unix:///nowhere/docker.sock" });
}

function run(args: string[], change: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  const env = {
    ...process.env,
    // npm test sets it, for stacks of other tests.
    PULUMI_BACKEND_URL: undefined,
    ...change,
    OLLAMA_STACK_CACHE: join(root, "cache"),
    OLLAMA_STACK_STATE: join(root, "state"),
    PULUMI_HOME: join(root, "pulumi"),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, ["scripts/commands/purge.ts", ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

const stack = "state/backend/.pulumi/stacks/ollama-stack/dev.json";
const checkpoint = (resources: unknown[]) =>
  JSON.stringify({ version: 3, checkpoint: { latest: { resources } } });

describe("npm run purge", () => {
  it("lists what it would remove with sizes, and removes nothing without confirmation", async () => {
    const kept = write("cache/ollama-abc/ollama", "x".repeat(1500));
    write("state/passphrase", "secret");
    const { code, output } = await purge();
    expect(code).toBe(1);
    expect(output).toContain(`cache                 1.5 kB  ${root}/cache`);
    expect(output).toContain(`state and passphrase     6 B  ${root}/state`);
    expect(output).toMatch(/removing requires confirmation/);
    expect(output).toMatch(
      /The Docker engine at unix:\/\/\/nowhere\/docker.sock does not respond: its objects are kept/,
    );
    expect(existsSync(kept)).toBe(true);
  });

  it("removes the cache, the state and built tools, but no released tools", async () => {
    write("cache/ollama-abc/ollama", "x");
    write(stack, checkpoint([]));
    const built = write("pulumi/versions/3.259.0/bin/pulumi", "x");
    write("pulumi/versions/3.259.0/bin/.pulumi.built", "key");
    const released = write("pulumi/plugins/resource-docker-v5.2.0/pulumi-resource-docker", "x");
    const { code, output } = await purge("--yes");
    expect(code, output).toBe(0);
    expect(output).toMatch(/^Removing all this, of every stack on /m);
    for (const gone of [join(root, "cache"), join(root, "state"), built])
      expect(existsSync(gone), gone).toBe(false);
    expect(existsSync(released)).toBe(true);
    expect((await purge("--yes")).output).toContain("Nothing to remove.");
  });

  it("removes nothing while a stack exists", async () => {
    const file = write(stack, checkpoint([{ urn: "urn" }]));
    const { code, output } = await purge("--yes");
    expect(code).toBe(1);
    expect(output).toMatch(
      /error: the stack dev still exists; destroy it first: npm run destroy -- --stack dev/,
    );
    expect(existsSync(file)).toBe(true);
  });

  it("removes nothing before it has read the backend that PULUMI_BACKEND_URL selects", async () => {
    const file = write("state/passphrase", "secret");
    const backend = { PULUMI_BACKEND_URL: pathToFileURL(join(root, "elsewhere")).href };
    // Reading it needs the tools, whose set-up needs the engine.
    const { code, output } = await run(["--yes"], { DOCKER_HOST: "unix:///nowhere/docker.sock", ...backend });
    expect(code).toBe(1);
    expect(output).toContain("no Docker engine responds at unix:///nowhere/docker.sock");
    expect(existsSync(file)).toBe(true);
  });

  it("removes a cache without reading that backend", async () => {
    const file = write("cache/compiled/x", "x");
    const backend = { PULUMI_BACKEND_URL: pathToFileURL(join(root, "elsewhere")).href };
    const { code, output } = await run(["--yes"], { DOCKER_HOST: "unix:///nowhere/docker.sock", ...backend });
    expect(code, output).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  // An empty DOCKER_HOST selects the default context in Docker 20.10's client, whichever context is in use.
  it.each([[[]], [["--stack", "dev"]]])(
    "leaves the engine to Docker's client if the config names none: %j",
    async (options) => {
      const docker = `#!/bin/sh\necho "\${DOCKER_HOST-not set}" >> ${root}/host; exit 1\n`;
      chmodSync(write("bin/docker", docker), 0o755);
      const PATH = `${root}/bin${delimiter}${process.env["PATH"] ?? ""}`;
      await run(options, { PATH, DOCKER_HOST: undefined });
      expect(readFileSync(join(root, "host"), "utf8")).toBe("not set\n");
    },
  );

  it("keeps the models of a stack whose containers were removed while the state has it", async () => {
    const volumes = JSON.stringify([{ Name: "ollama-stack-dev-ollama-models", Size: "1.3GB" }]);
    const docker = `#!/bin/sh
case "$*" in
  "system df"*) echo '${volumes}' ;;
  "volume rm"*) echo "$*" >> ${root}/removed ;;
esac
`;
    chmodSync(write("bin/docker", docker), 0o755);
    const PATH = `${root}/bin${delimiter}${process.env["PATH"] ?? ""}`;
    const file = write(stack, checkpoint([{ urn: "urn" }]));
    const refused = await run(["--stack", "dev", "--yes"], { PATH });
    expect(refused.output).toContain(
      "error: the state of the stack dev still has resources; destroy it first",
    );
    expect(existsSync(join(root, "removed"))).toBe(false);
    writeFileSync(file, checkpoint([]));
    const { code, output } = await run(["--stack", "dev", "--yes"], { PATH });
    expect([code, output]).toEqual([0, expect.stringMatching(/^Removed: 1$/m)]);
  });

  it("rejects an unknown option", async () => {
    const { code, output } = await purge("--yse");
    expect(code).toBe(1);
    expect(output).toMatch(/purge has no option --yse/);
  });
});
