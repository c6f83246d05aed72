// npm test: everything, the life of a real stack included; arguments go to vitest.
import { main } from "./main.ts";
import { openSession } from "./session.ts";
import { runTests } from "./vitest.ts";

await main(async () => {
  const { env, world, rest } = await openSession(process.argv.slice(2)).catch((error: unknown) => {
    // Nothing was tested: that counts, too.
    console.log("0 passed, 1 failed");
    throw error;
  });
  const projects = ["unit", "gateway", "e2e"].map((name) => `--project=${name}`);
  process.exitCode = await runTests([...projects, ...rest], { ...env, OLLAMA_STACK_WORLD: world });
});
