import { expect, test } from "vitest";
import { packages } from "../../compat/clients/packages.ts";
import { ollamaCli } from "../../compat/clients/ollama-cli.ts";
import { isFault, runMatrix } from "../../compat/matrix.ts";
import { textReport } from "../../compat/report.ts";
import { defaultOllama, startServers } from "../../compat/servers.ts";

test("everything that works with a real Ollama works through the gateway", { timeout: 180_000 }, async () => {
  const program = defaultOllama();
  const servers = await startServers(program);
  try {
    const rows = await runMatrix([...packages, ollamaCli(program, servers.ollama.version)], servers);
    expect(rows.filter(isFault), textReport(rows)).toEqual([]);
    // Guards against a matrix in which most cases fail with Ollama, too.
    expect(rows.filter(({ ollama }) => ollama === undefined).length).toBeGreaterThan(rows.length * 0.7);
  } finally {
    await servers.stop();
  }
});
