// node bench/admin-api.ts [SERIES [SECONDS]]: the processor time of the admin API, with and without an open console, under
// load. It is taken from profiles, because two processes of the same program differ by more than what is measured.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Pool } from "undici";
import { z } from "zod";
import { summaryOf, withSpread } from "./summary.ts";

const SERIES = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 15);
const CONNECTIONS = 16;
const PORT = 18_791;
const SAMPLE_EVERY_US = 250;

const gateway = join(import.meta.dirname, "..", "gateway", "src");
const adminCode = pathToFileURL(join(gateway, "admin", "/")).href;

const responses: Readonly<Record<string, string>> = {
  "/api/tags": '{"models":[{"name":"m:latest","digest":"d","size":1,"modified_at":"2025-01-02T03:04:05Z"}]}',
  "/api/ps": '{"models":[{"name":"m:latest","digest":"d","size":1,"size_vram":0,"context_length":4096}]}',
  "/api/version": '{"version":"0.17.4"}',
  "/api/chat":
    '{"model":"m","message":{"role":"assistant","content":"Hello there."},"done":true,"done_reason":"stop",' +
    '"prompt_eval_count":11,"prompt_eval_duration":1000000,"eval_count":3,"eval_duration":3000000}',
};

const ollama = createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/json").end(responses[request.url ?? ""] ?? "{}");
  });
});
ollama.listen(0, "127.0.0.1");
await once(ollama, "listening");

function start(profiles: string): ChildProcess {
  const profiling = [
    "--cpu-prof",
    `--cpu-prof-dir=${profiles}`,
    `--cpu-prof-interval=${String(SAMPLE_EVERY_US)}`,
  ];
  return spawn(process.execPath, [...profiling, join(gateway, "server.ts")], {
    env: {
      ...process.env,
      PORT: String(PORT),
      LLM_SERVICE_PORT: String((ollama.address() as AddressInfo).port),
      OLLAMA_NUM_PARALLEL: "64",
    },
    stdio: "ignore",
  });
}

async function waitUntilReady(pool: Pool): Promise<void> {
  for (;;) {
    const ready = await pool.request({ method: "GET", path: "/ready" }).catch(() => undefined);
    await ready?.body.dump();
    if (ready?.statusCode === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Sends as many requests as the connections can. @returns the number of responses */
async function runLoad(pool: Pool): Promise<number> {
  const body = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
  const headers = { "content-type": "application/json" };
  const end = performance.now() + SECONDS * 1000;
  let count = 0;
  const client = async () => {
    while (performance.now() < end) {
      const response = await pool.request({ method: "POST", path: "/v1/chat/completions", headers, body });
      await response.body.dump();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return count;
}

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** The share of busy time with code of the admin API on the stack, percent. */
function shareOf(profile: z.infer<typeof profileSchema>): number {
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const isAdmin = (id: number | undefined): boolean =>
    id !== undefined &&
    (nodes.get(id)?.callFrame.url.startsWith(adminCode) === true || isAdmin(parents.get(id)));
  let [admin, busy] = [0, 0];
  profile.samples.forEach((id, index) => {
    if (nodes.get(id)?.callFrame.functionName === "(idle)") return;
    const time = profile.timeDeltas[index] ?? 0;
    busy += time;
    if (isAdmin(id)) admin += time;
  });
  return (100 * admin) / busy;
}

async function measure(hasConsole: boolean): Promise<{ readonly share: number; readonly count: number }> {
  const profiles = mkdtempSync(join(tmpdir(), "ollama-stack-profile-"));
  const child = start(profiles);
  const url = `http://127.0.0.1:${String(PORT)}`;
  const pool = new Pool(url, { connections: CONNECTIONS });
  const consoleConnection = new AbortController();
  try {
    await waitUntilReady(pool);
    if (hasConsole) {
      const events = await fetch(`${url}/admin/events`, { signal: consoleConnection.signal });
      void events.body?.pipeTo(new WritableStream()).catch(() => undefined);
    }
    const count = await runLoad(pool);
    consoleConnection.abort();
    await pool.destroy();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
    const [file = ""] = readdirSync(profiles);
    return {
      share: shareOf(profileSchema.parse(JSON.parse(readFileSync(join(profiles, file), "utf8")))),
      count,
    };
  } finally {
    child.kill("SIGKILL");
    rmSync(profiles, { recursive: true, force: true });
  }
}

function print(what: string, shares: readonly number[]): void {
  console.log(`${what}  ${withSpread(summaryOf(shares), 2)} %`);
}

const shares: { readonly without: number[]; readonly with: number[] } = { without: [], with: [] };
let totalResponses = 0;
for (let n = 0; n < SERIES; n += 1) {
  for (const hasConsole of n % 2 === 0 ? [false, true] : [true, false]) {
    const { share, count } = await measure(hasConsole);
    (hasConsole ? shares.with : shares.without).push(share);
    totalResponses += count;
  }
}
ollama.close();
ollama.closeAllConnections();
const amount = `${String(SERIES)} processes each, ${String(Math.round(totalResponses / SERIES / 2))} responses per process`;
console.log(
  `The admin API's share of the gateway's busy time under load, median (lowest to highest); ${amount}:`,
);
print("no console open  ", shares.without);
print("one console open ", shares.with);
