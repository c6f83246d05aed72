import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { choosePort, isChosen } from "../../components/planning/ports/port-choice.ts";
import { docker } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Two CI runs on one host at the same time, each with its own checkout and state, both with the settings of stack ci.
// Their names lead to the same public port, so that one of them has to choose again.
const [first, second] = await namesWithSamePort();
let runs: Project[] = [];

/** Two stack names for which the same port is chosen. */
async function namesWithSamePort(): Promise<[string, string]> {
  const chosen = new Map<number | undefined, string>();
  for (let i = 1; ; i += 1) {
    const stack = `ci-run-${String(i)}`;
    const isFree = () => Promise.resolve(true);
    const port = await choosePort({ name: `ollama-stack-${stack}-gateway`, had: [], isFree });
    const other = chosen.get(port);
    if (other !== undefined) return [other, stack];
    chosen.set(port, stack);
  }
}

/** The settings of Pulumi.ci.yaml except models, which depend on where this machine gets them. */
function settings(): Record<string, unknown> {
  const { config } = parse(readFileSync("Pulumi.ci.yaml", "utf8")) as { config: Record<string, unknown> };
  const entries = Object.entries(config).map(([key, value]) => [key.replace("ollama-stack:", ""), value]);
  return Object.fromEntries(entries.filter(([key]) => key !== "models")) as Record<string, unknown>;
}

const script = (run: Project, name: string, ...args: string[]) =>
  run.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", run.stack, ...args]).done;
const both = <T>(work: (run: Project) => Promise<T>) => Promise.all(runs.map(work));
/** The run that got the port, and the one that chose another. */
function pair(): [Project, Project] {
  const [one, other] = runs;
  if (one === undefined || other === undefined) throw new Error("one run has been destroyed already");
  return [one, other];
}

beforeAll(() => {
  runs = [first, second].map(
    (stack) => new Project({ stack, ollamaPort: "auto", gatewayPort: "auto", settingsOf: "ci" }),
  );
  // Without the key, `up` sends no test prompt: two generations at once on the same cores may take a minute.
  const gatewayApiKeys = [newKey("ada", []).line];
  for (const run of runs) run.configure({ ...settings(), gatewayApiKeys });
  // In the second run, the public port is the edge's.
  runs[1]?.configure({ edge: "http" });
});
afterAll(async () => {
  await both((run) => run.dispose());
  for (const stack of [first, second]) expect(leftovers(stack)).toEqual(nothingLeft);
});

const portConflict = /^Port (\d+) was taken before (\S+) could bind it: choosing another\.$/m;

describe("two runs of CI on one host", () => {
  it("come up in parallel with settings copied from ci, and the later one chooses another port", async () => {
    const ups = await both(async (run) => ({ run, ...(await script(run, "up")) }));
    for (const { code, output } of ups) {
      expect(code, output).toBe(0);
      expect(output).toMatch(/^settings: Pulumi\.ci-run-\d+\.yaml is a copy of Pulumi\.ci\.yaml$/m);
    }
    runs = ups
      .toSorted((a, b) => Number(portConflict.test(a.output)) - Number(portConflict.test(b.output)))
      .map(({ run }) => run);
    expect(ups.map(({ output }) => portConflict.test(output)).sort()).toEqual([false, true]);
  });

  it("respond on free, distinct ports, and a preview finds no changes", async () => {
    const [one] = pair();
    const outputs = await both((run) => run.outputs());
    const urls = outputs.flatMap(({ gatewayUrl, ollamaUrl }) => [
      `${gatewayUrl}/ready`,
      `${ollamaUrl}/api/version`,
    ]);
    const ports = urls.map((url) => Number(new URL(url).port));
    expect(new Set(ports).size).toBe(4);
    for (const port of ports) expect(isChosen(port), String(port)).toBe(true);
    for (const url of urls) expect((await fetch(url)).status, url).toBe(200);
    // The last test previews the other one.
    await one.pulumi("preview", "--expect-no-changes");
  });

  it("are destroyed independently, and leave nothing", async () => {
    const [one, other] = pair();
    const { gatewayUrl } = await other.outputs();
    const { code, output } = await script(one, "destroy", "--yes");
    expect(code, output).toBe(0);
    const removed = await script(one, "pulumi", "stack", "rm", "--yes");
    expect(removed.code, removed.output).toBe(0);
    expect(existsSync(join(one.folder, `Pulumi.${one.stack}.yaml`))).toBe(false);
    expect(leftovers(one.stack)).toEqual(nothingLeft);
    rmSync(one.folder, { recursive: true });
    runs = [other];
    expect((await fetch(`${gatewayUrl}/ready`)).status).toBe(200);
  });

  it("keep their ports after a container was removed manually, although the first choice is free by now", async () => {
    const [run] = runs;
    const { containers, edge } = (await run?.outputs()) ?? expect.fail("no run is left");
    docker("container", "rm", "--force", edge?.container ?? containers.gateway);
    // Without a refresh, the container is still in the state, with its port.
    await run?.pulumi("preview", "--expect-no-changes");
  });
});
