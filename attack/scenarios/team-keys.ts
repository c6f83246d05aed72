import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { waitFor } from "../connections.ts";
import type { KeyName } from "../keys.ts";
import { type Attack, forEachConcurrently, range, type Scenario } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { summarize, type Target } from "../target.ts";
import { withGateway } from "../extra-gateway.ts";

/** Requests that a restricted key may not send. */
const rejections: readonly (readonly [key: KeyName, path: string, status: number])[] = [
  ["expired", "/v1/models", 401],
  ["disabled", "/v1/models", 401],
  ["elsewhere", "/v1/models", 403],
  ["embedOnly", "/v1/models", 403],
  ["embedOnly", "/api/tags", 403],
  ["embedOnly", "/metrics", 403],
];

// Headers that claim another client address.
const spoofedHeaders: readonly Readonly<Record<string, string>>[] = [
  {},
  { "x-forwarded-for": "203.0.113.7" },
  { "x-forwarded-for": "203.0.113.7, 203.0.113.8" },
  { "x-real-ip": "203.0.113.7" },
  { forwarded: "for=203.0.113.7" },
];

const pathVariants = [
  "/v1/chat/completions/",
  "/v1//chat/completions",
  "/V1/chat/completions",
  "/v1/%63hat/completions",
];

async function chatWith(target: Target, key: KeyName): Promise<number> {
  const { status } = await target.chat({ max_tokens: 24 }, { key });
  return status;
}

export const teamKeys: readonly Scenario[] = [
  {
    section: 7,
    name: "expired and disabled keys, and keys for other networks or routes",
    expected: "401 or 403, whatever the request claims",
    run: async ({ direct, edge, countTries, reportProblem }) => {
      for (const target of [direct, edge]) {
        for (const [key, path, status] of rejections)
          for (const headers of spoofedHeaders) {
            const reply = await target.send(path, { key, headers });
            countTries();
            if (reply.status !== status)
              reportProblem(
                `the key ${key} at ${path} with ${Object.keys(headers).join() || "no further headers"}: ${summarize(reply)}`,
              );
          }
        for (const path of pathVariants) {
          const reply = await target.send(path, {
            key: "embedOnly",
            body: { model: target.model, messages: [] },
          });
          countTries();
          if (![403, 404].includes(reply.status))
            reportProblem(`the key embedOnly at ${path}: ${summarize(reply)}`);
        }
      }
    },
  },
  {
    section: 7,
    name: "valid keys used within their limits",
    expected: "200",
    run: async ({ direct, countTries, reportProblem }) => {
      const valid = await direct.send("/v1/models", { key: "valid" });
      const embedding = await direct.send("/v1/embeddings", {
        key: "embedOnly",
        body: { model: direct.model, input: "Hi" },
      });
      countTries(2);
      if (valid.status !== 200) reportProblem(`a key that has not expired: ${summarize(valid)}`);
      if (embedding.status !== 200) reportProblem(`a key for embeddings: ${summarize(embedding)}`);
    },
  },
  {
    section: 7,
    name: "keys limited to 20 tokens a day or a month",
    expected: "429 once the tokens are spent",
    run: async ({ direct, edge, countTries, reportProblem }) => {
      for (const target of [direct, edge])
        for (const key of ["daily", "monthly"] as const) {
          const statuses = [
            await chatWith(target, key),
            await chatWith(target, key),
            await chatWith(target, key),
          ];
          countTries(statuses.length);
          if (statuses.at(-1) !== 429) reportProblem(`three times the key ${key}: ${statuses.join(", ")}`);
        }
    },
  },
  {
    section: 7,
    name: "a key that is replaced while 8 clients send requests",
    expected: "in effect within 2 s, no valid key is rejected",
    run: rotate,
  },
  {
    section: 7,
    name: "a key that npm run keys adds, rotates and revokes on a running stack",
    expected: "in effect within 2 s behind the edge, no container replaced",
    everyRounds: 3,
    run: manageKeys,
  },
  {
    section: 7,
    name: "administrative actions",
    expected: "a log line for each, with key and target",
    run: async ({ direct, random, countTries, reportProblem }) => {
      const since = new Date(Date.now() - 1000);
      const model = `none-${random.integer(1e6, 1e9)}:latest`;
      const rejected = await direct.send("/api/delete", { method: "DELETE", body: { model } });
      const reply = await direct.send("/api/delete", { method: "DELETE", key: "admin", body: { model } });
      countTries(2);
      if (rejected.status !== 403) reportProblem(`an ordinary key may delete: ${summarize(rejected)}`);
      if (reply.status !== 404) reportProblem(`deleting an unknown model: ${summarize(reply)}`);
      const [gateway = ""] = direct.deployment.containers.gateways;
      const isLogged = async () => {
        const lines = (await logsSince(gateway, since)).split("\n");
        return lines.some((line) => line.includes(model) && line.includes('"key":"admin"'));
      };
      if (!(await waitFor(isLogged, 10_000)))
        reportProblem("the log does not show which key deletes which model");
    },
  },
];

// The documented 2 s, and a second for the file to reach the container.
const IN_EFFECT_MS = 3000;

async function rotate({ direct, countTries, reportProblem }: Attack): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "attack-keys-"));
  const write = (lines: readonly string[]) => {
    writeFileSync(join(folder, "next"), `${lines.join("\n")}\n`, { mode: 0o644 });
    renameSync(join(folder, "next"), join(folder, "keys"));
  };
  const staying = newKey("staying", []);
  let current = newKey("rotated", []);
  chmodSync(folder, 0o755);
  write([staying.line, current.line]);
  const statusOf = async (gateway: Target, key: string) => {
    countTries();
    const reply = await gateway.send("/v1/models", {
      key: "none",
      headers: { authorization: `Bearer ${key}` },
    });
    return reply.status;
  };
  try {
    await withGateway(
      direct,
      { API_KEYS_FILE: "/keys/keys" },
      async (gateway) => {
        const ended = new AbortController();
        const load = forEachConcurrently(range(8), 8, async () => {
          while (!ended.signal.aborted) {
            await sleep(50);
            if ((await statusOf(gateway, staying.key)) !== 200)
              reportProblem("an unchanged key was rejected during a rotation");
          }
        });
        for (let time = 0; time < 3; time += 1) {
          const old = current;
          current = newKey("rotated", []);
          write([staying.line, current.line]);
          if (!(await waitFor(async () => (await statusOf(gateway, current.key)) === 200, IN_EFFECT_MS)))
            reportProblem(`a new key is not in effect after ${IN_EFFECT_MS / 1000} s`);
          const status = await statusOf(gateway, old.key);
          if (status !== 401) reportProblem(`the old key gets ${status} once the new one is in effect`);
        }
        ended.abort();
        await load;
      },
      folder,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function manageKeys({ edge, countTries, reportProblem }: Attack): Promise<void> {
  const { project } = edge.deployment;
  const keys = async (...args: string[]): Promise<string> => {
    const { code, output } = await project.run(process.execPath, ["scripts/commands/keys.ts", ...args]).done;
    if (code !== 0) throw new Error(`npm run keys -- ${args.join(" ")} failed: ${output.slice(-300)}`);
    return /^ {2}(sk-\S+)$/m.exec(output)?.[1] ?? "";
  };
  const expectStatus = async (key: string, status: number, description: string): Promise<void> => {
    const hasStatus = async () => {
      countTries();
      const headers = { authorization: `Bearer ${key}` };
      return (await edge.send("/v1/models", { key: "none", headers })).status === status;
    };
    if (!(await waitFor(hasStatus, 2000))) reportProblem(`${description} does not get ${status} within 2 s`);
  };
  const added = await keys("add", "temporary");
  await expectStatus(added, 200, "an added key");
  const successor = await keys("rotate", "temporary", "--grace", "0");
  await expectStatus(successor, 200, "a key created by a rotation");
  await expectStatus(added, 401, "a rotated key");
  await keys("revoke", "temporary");
  await expectStatus(successor, 401, "a revoked key");
}
