import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { choosePort, isChosen } from "../../components/planning/ports/port-choice.ts";
import { docker } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// Two runs of CI on one host at the same time: each a checkout and a state of its own, both with the settings of ci. Their
// names are such that both would have the same port in front: one of them has to choose again.
const [first, second] = await rivals();
let runs: Project[] = [];

/** Two names of stacks from which the same port follows. */
async function rivals(): Promise<[string, string]> {
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

/** What Pulumi.ci.yaml sets, but for the model: that comes from where this machine has it. */
function settings(): Record<string, unknown> {
  const { config } = parse(readFileSync("Pulumi.ci.yaml", "utf8")) as { config: Record<string, unknown> };
  const entries = Object.entries(config).map(([key, value]) => [key.replace("ollama-stack:", ""), value]);
  return Object.fromEntries(entries.filter(([key]) => key !== "models")) as Record<string, unknown>;
}

const script = (run: Project, name: string, ...args: string[]) =>
  run.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", run.stack, ...args]).done;
const both = <T>(work: (run: Project) => Promise<T>) => Promise.all(runs.map(work));
/** The one whose port it was, and the one that chose again. */
function pair(): [Project, Project] {
  const [one, other] = runs;
  if (one === undefined || other === undefined) throw new Error("one run has been taken down already");
  return [one, other];
}

beforeAll(() => {
  runs = [first, second].map(
    (stack) => new Project({ stack, ollamaPort: "auto", gatewayPort: "auto", settingsOf: "ci" }),
  );
  // With a key that the command does not have, it asks for no joke: two answers at once on the same cores may take a minute.
  const gatewayApiKeys = [newKey("ada", []).line];
  for (const run of runs) run.configure({ ...settings(), gatewayApiKeys });
  // What is in front of the second is an edge.
  runs[1]?.configure({ edge: "http" });
});
afterAll(async () => {
  await both((run) => run.dispose());
  for (const stack of [first, second]) expect(leftovers(stack)).toEqual(nothingLeft);
});

const lostLine = /^Port (\d+) was taken before (\S+) could bind it: choosing another\.$/m;

describe("two runs of CI on one host", () => {
  it("come up side by side with settings that nobody made for them, and the later one chooses its port again", async () => {
    const ups = await both(async (run) => ({ run, ...(await script(run, "up")) }));
    for (const { code, output } of ups) {
      expect(code, output).toBe(0);
      expect(output).toMatch(/^settings: Pulumi\.ci-run-\d+\.yaml is a copy of Pulumi\.ci\.yaml$/m);
    }
    runs = ups
      .toSorted((a, b) => Number(lostLine.test(a.output)) - Number(lostLine.test(b.output)))
      .map(({ run }) => run);
    expect(ups.map(({ output }) => lostLine.test(output)).sort()).toEqual([false, true]);
  });

  it("answer at ports that are free, other ones each, and have nothing more to change", async () => {
    const outputs = await both((run) => run.outputs());
    const urls = outputs.flatMap(({ gatewayUrl, ollamaUrl }) => [
      `${gatewayUrl}/ready`,
      `${ollamaUrl}/api/version`,
    ]);
    const ports = urls.map((url) => Number(new URL(url).port));
    expect(new Set(ports).size).toBe(4);
    for (const port of ports) expect(isChosen(port), String(port)).toBe(true);
    for (const url of urls) expect((await fetch(url)).status, url).toBe(200);
    await both((run) => run.pulumi("preview", "--expect-no-changes"));
  });

  it("are taken down each for itself, and leave nothing", async () => {
    const [one, other] = pair();
    const { gatewayUrl } = await other.outputs();
    const { code, output } = await script(one, "destroy", "--yes");
    expect(code, output).toBe(0);
    const forgotten = await script(one, "pulumi", "stack", "rm", "--yes");
    expect(forgotten.code, forgotten.output).toBe(0);
    expect(existsSync(join(one.folder, `Pulumi.${one.stack}.yaml`))).toBe(false);
    expect(leftovers(one.stack)).toEqual(nothingLeft);
    rmSync(one.folder, { recursive: true });
    runs = [other];
    expect((await fetch(`${gatewayUrl}/ready`)).status).toBe(200);
  });

  it("keep their ports when a container was removed by hand, though the first choice is free by now", async () => {
    const [run] = runs;
    const { containers, edge } = (await run?.outputs()) ?? expect.fail("no run is left");
    docker("container", "rm", "--force", edge?.container ?? containers.gateway);
    // Not looked for anew, the container is still in the state, with its port.
    await run?.pulumi("preview", "--expect-no-changes");
  });
});
