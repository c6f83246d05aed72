// npm test: everything, the life of a real stack included; arguments go to vitest. OLLAMA_STACK_TEST_ENGINE says on
// which engines: see CONTRIBUTING.md.
import { PrivateEngine } from "../tests/e2e/private-engine.ts";
import { main } from "./main.ts";
import { openSession, type Session } from "./session.ts";
import { countTests, type Counts, summarize } from "./vitest.ts";

const withoutEngine = ["unit", "gateway", "clients"];
const variable = "OLLAMA_STACK_TEST_ENGINE";

await main(async () => {
  const asked = process.env[variable] ?? "";
  const counts: Counts[] = [];
  try {
    if (!["", "machine", "current"].includes(asked))
      throw new Error(`${variable} is "${asked}", but must be machine, current or empty`);
    const session = await openSession(process.argv.slice(2), { currentEngine: asked !== "machine" });
    // Whoever names tests means these; the rest of the machine's is not asked for.
    const named = session.rest.length > 0;
    const own = asked === "current" ? withoutEngine : [...withoutEngine, "e2e"];
    const other = asked === "current" ? "e2e" : "engine";
    const builds = session.world === "built";
    if (asked === "current" && !builds) throw new Error(`${variable}=current needs the world built`);
    if (!(asked === "current" && named)) counts.push(await onMachine(own, session));
    if (asked === "current" || (asked === "" && builds && !named))
      counts.push(await onCurrent(other, session));
  } catch (error) {
    // What was not tested counts, too.
    counts.push({ passed: 0, failed: 1 });
    throw error;
  } finally {
    process.exitCode = summarize(counts);
  }
});

function onMachine(projects: readonly string[], session: Session): Promise<Counts> {
  return countTests([...projectOptions(projects), ...session.rest], environment(session));
}

/** The tests run in the network of an engine of their own, where 127.0.0.1 is that engine's. */
async function onCurrent(project: string, session: Session): Promise<Counts> {
  const engine = await PrivateEngine.start({ name: "current", kind: "current" });
  try {
    console.log(
      `\nOn an engine of version ${engine.docker("version", "--format", "{{.Server.Version}}").trim()}:\n`,
    );
    engine.provide();
    const env = { ...environment(session), DOCKER_HOST: engine.host };
    return await countTests([...projectOptions([project]), ...session.rest], env, (command, args) =>
      engine.enter(command, args),
    );
  } finally {
    await engine.stop();
  }
}

function environment({ env, world }: Session): NodeJS.ProcessEnv {
  return { ...env, OLLAMA_STACK_WORLD: world };
}

function projectOptions(names: readonly string[]): string[] {
  return names.map((name) => `--project=${name}`);
}
