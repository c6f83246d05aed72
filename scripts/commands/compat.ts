// npm run compat: runs common clients against Ollama itself and through the gateway, and prints both columns.
// Exits with 1 if something works with Ollama but not through the gateway.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { packages } from "../../compat/clients/packages.ts";
import { ollamaCli } from "../../compat/clients/ollama-cli.ts";
import { programs } from "../../compat/clients/programs.ts";
import { isFault, runMatrix } from "../../compat/matrix.ts";
import { markdownReport, textReport } from "../../compat/report.ts";
import { defaultOllama, startServers } from "../../compat/servers.ts";
import { runTool, SetupError } from "../../host/exec.ts";
import { command } from "../cli/command.ts";

/** The version of an Ollama program. */
async function versionOf(program: string): Promise<string> {
  const text = await runTool(program, ["--version"], { what: "ollama version" });
  return /\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? text.trim();
}

const document = join(import.meta.dirname, "..", "..", "docs", "compatibility.md");

await command("compat", async ({ options }) => {
  const { only, write, ollama = defaultOllama() } = options;
  if (only !== undefined && write)
    throw new SetupError("--write writes the results of all clients: omit --only");
  const clients = [...packages, ollamaCli(ollama, await versionOf(ollama)), ...programs];
  const chosen = clients.filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length === 0)
    throw new SetupError(
      `--only ${only ?? ""}: no client is called so. There are: ${clients.map(({ name }) => name).join("; ")}`,
    );
  // Warnings of the AI SDK are irrelevant; real problems fail.
  (globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;
  // The servers exit with this process.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
  const servers = await startServers(ollama);
  try {
    const rows = await runMatrix(chosen, servers);
    console.log(textReport(rows));
    if (rows.some(isFault)) process.exitCode = 1;
    if (write) {
      const versions = { ollama: servers.ollama.version, date: new Date().toISOString().slice(0, 10) };
      const text = markdownReport(rows, versions);
      const settings = await resolveConfig(document);
      writeFileSync(document, await format(text, { ...settings, parser: "markdown" }));
    }
  } finally {
    await servers.stop();
  }
});
