// npm test: runs all tests, including those with real stacks; passes arguments to vitest. OLLAMA_STACK_TEST_ENGINE selects
// the engines, see CONTRIBUTING.md.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { notApplicable } from "../../test-support/applicable.ts";
import { PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { compiledVariable } from "../../test-support/stack/project.ts";
import { whyNoCluster } from "../../test-support/cluster/cluster.ts";
import { whyNoReleasedWorld } from "../../test-support/released/requirements.ts";
import { fetchBrowser } from "../../test-support/browser/browser-program.ts";
import { fetchSshServer } from "../../test-support/engine/ssh-server.ts";
import { command } from "../cli/command.ts";
import { openSession, type Session } from "../cli/session.ts";
import { prepareCluster } from "../setup/cluster-for-tests.ts";
import { longestFirst } from "../test-runner/longest-first.ts";
import { runQueue } from "../test-runner/queue.ts";
import { countTests, type Counts, listTestFiles, type Place, summarize } from "../test-runner/vitest.ts";

type Work = Session & {
  /** For vitest. */
  readonly rest: readonly string[];
};

const withoutEngine = ["unit", "declarations", "gateway", "programs", "bounds"];
const variable = "OLLAMA_STACK_TEST_ENGINE";
/** Maximum number of lanes beside that of the machine's engine. */
const MAX_LANES = 3;

await command("test", async ({ options, operands, passed }) => {
  const selected = process.env[variable] ?? "";
  const counts: Counts[] = [];
  const compiled = mkdtempSync(join(tmpdir(), "ollama-stack-compiled-"));
  try {
    if (!["", "machine", "current"].includes(selected))
      throw new Error(`${variable} is "${selected}", but must be machine, current or empty`);
    const session = await openSession({ ...options, currentEngine: selected !== "machine" });
    const rest = [...operands, ...passed];
    const work = { ...session, rest, env: { ...session.env, [compiledVariable]: compiled } };
    const builds = session.toolSource === "built";
    if (selected === "current" && !builds)
      throw new Error(
        `${variable} is current, which needs built tools: add --tools built, or set it to machine`,
      );
    // Named tests run on one engine only.
    const named = rest.length > 0;
    const whyNotReleased = whyNoReleasedWorld();
    const released = whyNotReleased === undefined ? ["released"] : [];
    // The cluster's programs are always built from source.
    const whyNotCluster = builds ? whyNoCluster() : "the tools are not built here";
    if (selected === "current") {
      if (!named) counts.push(await run([...withoutEngine, "clients"], work));
      if (!named) for (const project of released) counts.push(await run([project], work));
      counts.push(await withCurrent((engine) => runOn(engine, "e2e", work)));
    } else if (named || selected === "machine" || !builds) {
      counts.push(await run([...withoutEngine, "clients", "e2e", ...released], work));
    } else {
      counts.push(await run(withoutEngine, work));
      await onBoth(whyNotCluster === undefined ? ["cluster", ...released] : released, work, counts);
    }
    for (const { files, why } of notApplicable())
      console.log(`\nNot applicable here: ${files.join(", ")} (${why}).`);
    if (whyNotReleased !== undefined && !named)
      console.log(`\nNot applicable here: tests/released (${whyNotReleased}).`);
    if (whyNotCluster !== undefined && !named)
      console.log(`\nNot applicable here: tests/kubernetes (${whyNotCluster}).`);
  } catch (error) {
    // Tests that did not run count as failed.
    counts.push({ passed: 0, failed: 1 });
    throw error;
  } finally {
    rmSync(compiled, { recursive: true, force: true });
    process.exitCode = summarize(counts);
  }
});

/**
 * Runs on both engines in parallel, because tests of stacks mostly wait: the subset on the machine's engine in one lane, all
 * else in the others. A lane that is done takes jobs of the others.
 *
 * @param ownWorld projects that have an engine or a cluster of their own
 */
async function onBoth(ownWorld: readonly string[], session: Work, counts: Counts[]): Promise<void> {
  console.log("\nOn Docker 29 and, in parallel, a subset on the machine's engine:\n");
  // Fetched before the lanes start, so that they do not fetch concurrently.
  await fetchPrograms();
  const machine = async (): Promise<void> => {
    counts.push(await run(["compatibility"], session, { label: "machine | " }));
  };
  const others = async (lanes: readonly Promise<void>[]): Promise<void> => {
    const clients = await listTestFiles("clients", session.env);
    const current = longestFirst(await listTestFiles("current", session.env));
    await withCurrent((engine) => {
      const jobs: (() => Promise<Counts>)[] = [
        ...ownWorld.map((project) => async () => {
          if (project === "cluster") await prepareCluster({ stacks: false });
          return run([project], session, { label: `${project} | ` });
        }),
        ...clients.map(
          (file) => () => run(["clients"], { ...session, rest: [file] }, { label: "clients | " }),
        ),
        ...current.map((file) => () => {
          return runOn(engine, "current", { ...session, rest: [file] }, { label: "current | " });
        }),
      ];
      return runQueue(jobs, lanes, async (job) => {
        counts.push(await job());
      });
    });
  };
  const machineDone = machine();
  // A stack keeps half a core busy. No name and no port is in two files.
  const free = Array.from({ length: Math.min(availableParallelism(), MAX_LANES) }, () => Promise.resolve());
  // If one side cannot run, the other still reports its results.
  const sides = await Promise.allSettled([machineDone, others([...free, machineDone])]);
  for (const side of sides) if (side.status === "rejected") throw side.reason;
}

/** Fetches the Debian packages that tests need, because an engine's network has no internet access. */
async function fetchPrograms(): Promise<void> {
  await fetchSshServer();
  await fetchBrowser();
}

async function withCurrent<Result>(work: (engine: PrivateEngine) => Promise<Result>): Promise<Result> {
  await fetchPrograms();
  const engine = await PrivateEngine.start({ name: "tests", kind: "current", hostname: hostname() });
  try {
    await engine.provide();
    return await work(engine);
  } finally {
    await engine.stop();
  }
}

/** Runs tests in the engine's network namespace, where 127.0.0.1 is that engine's loopback. */
function runOn(engine: PrivateEngine, project: string, session: Work, place: Place = {}): Promise<Counts> {
  const env = { ...session.env, DOCKER_HOST: engine.host, [variable]: "current" };
  const enter: Place["enter"] = (command, args) => engine.enter(command, args);
  return run([project], { ...session, env }, { ...place, enter });
}

function run(
  projects: readonly string[],
  { env, toolSource, rest }: Work,
  place: Place = {},
): Promise<Counts> {
  const options = projects.map((name) => `--project=${name}`);
  return countTests([...options, ...rest], { ...env, OLLAMA_STACK_WORLD: toolSource }, place);
}
