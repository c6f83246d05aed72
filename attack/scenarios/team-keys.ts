import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { comesTrue } from "../connections.ts";
import type { KeyName } from "../keys.ts";
import { type Attack, each, range, type Scenario } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { short, type Target } from "../target.ts";
import { withGateway } from "../throwaway.ts";

/** What a key is good for that is not good for everything. */
const refused: readonly (readonly [key: KeyName, path: string, status: number])[] = [
  ["expired", "/v1/models", 401],
  ["disabled", "/v1/models", 401],
  ["elsewhere", "/v1/models", 403],
  ["embedOnly", "/v1/models", 403],
  ["embedOnly", "/api/tags", 403],
  ["embedOnly", "/metrics", 403],
];

// What clients write into requests to seem to be elsewhere.
const disguises: readonly Readonly<Record<string, string>>[] = [
  {},
  { "x-forwarded-for": "203.0.113.7" },
  { "x-forwarded-for": "203.0.113.7, 203.0.113.8" },
  { "x-real-ip": "203.0.113.7" },
  { forwarded: "for=203.0.113.7" },
];

const otherSpellings = [
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
    name: "keys that are expired, disabled, of another network or for other routes",
    expected: "401 or 403, whatever the request claims",
    run: async ({ direct, edge, tried, found }) => {
      for (const target of [direct, edge]) {
        for (const [key, path, status] of refused)
          for (const headers of disguises) {
            const reply = await target.send(path, { key, headers });
            tried();
            if (reply.status !== status)
              found(
                `the key ${key} at ${path} with ${Object.keys(headers).join() || "nothing more"}: ${short(reply)}`,
              );
          }
        for (const path of otherSpellings) {
          const reply = await target.send(path, {
            key: "embedOnly",
            body: { model: target.model, messages: [] },
          });
          tried();
          if (![403, 404].includes(reply.status)) found(`the key embedOnly at ${path}: ${short(reply)}`);
        }
      }
    },
  },
  {
    section: 7,
    name: "keys that are good for what is asked of them",
    expected: "200",
    run: async ({ direct, tried, found }) => {
      const valid = await direct.send("/v1/models", { key: "valid" });
      const embedding = await direct.send("/v1/embeddings", {
        key: "embedOnly",
        body: { model: direct.model, input: "Hi" },
      });
      tried(2);
      if (valid.status !== 200) found(`a key that has not expired: ${short(valid)}`);
      if (embedding.status !== 200) found(`a key for embeddings: ${short(embedding)}`);
    },
  },
  {
    section: 7,
    name: "keys of 20 tokens a day and a month",
    expected: "429 once they are spent",
    run: async ({ direct, edge, tried, found }) => {
      for (const target of [direct, edge])
        for (const key of ["daily", "monthly"] as const) {
          const statuses = [
            await chatWith(target, key),
            await chatWith(target, key),
            await chatWith(target, key),
          ];
          tried(statuses.length);
          if (statuses.at(-1) !== 429) found(`three times the key ${key}: ${statuses.join(", ")}`);
        }
    },
  },
  {
    section: 7,
    name: "a key that is replaced while 8 clients use the old and the new one",
    expected: "in force within 2 s, no request of the new key is refused from then on",
    run: rotate,
  },
  {
    section: 7,
    name: "a key that npm run keys adds to a running stack, rotates and revokes",
    expected: "in force within 2 s behind the edge, no container replaced",
    everyRounds: 3,
    run: manageKeys,
  },
  {
    section: 7,
    name: "acts of an administrator",
    expected: "a line of the log for each, with key and target",
    run: async ({ direct, random, tried, found }) => {
      const since = new Date(Date.now() - 1000);
      const model = `none-${random.integer(1e6, 1e9)}:latest`;
      const refused = await direct.send("/api/delete", { method: "DELETE", body: { model } });
      const reply = await direct.send("/api/delete", { method: "DELETE", key: "admin", body: { model } });
      tried(2);
      if (refused.status !== 403) found(`an ordinary key may delete: ${short(refused)}`);
      if (reply.status !== 404) found(`to delete a model that there is not: ${short(reply)}`);
      const [gateway = ""] = direct.place.containers.gateways;
      const isLogged = async () => {
        const lines = (await logsSince(gateway, since)).split("\n");
        return lines.some((line) => line.includes(model) && line.includes('"key":"admin"'));
      };
      if (!(await comesTrue(isLogged, 10_000))) found("the log does not say which key deletes which model");
    },
  },
];

// What the documents promise, and a second for the file's way into the container.
const IN_FORCE_MS = 3000;

async function rotate({ direct, tried, found }: Attack): Promise<void> {
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
    tried();
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
        const over = new AbortController();
        const load = each(range(8), 8, async () => {
          while (!over.signal.aborted) {
            await sleep(50);
            if ((await statusOf(gateway, staying.key)) !== 200)
              found("a key that stays was refused in a rotation");
          }
        });
        for (let time = 0; time < 3; time += 1) {
          const old = current;
          current = newKey("rotated", []);
          write([staying.line, current.line]);
          if (!(await comesTrue(async () => (await statusOf(gateway, current.key)) === 200, IN_FORCE_MS)))
            found(`a new key is not in force after ${IN_FORCE_MS / 1000} s`);
          const status = await statusOf(gateway, old.key);
          if (status !== 401) found(`the old key gets ${status} once the new one is in force`);
        }
        over.abort();
        await load;
      },
      folder,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function manageKeys({ edge, tried, found }: Attack): Promise<void> {
  const { project } = edge.place;
  const keys = async (...args: string[]): Promise<string> => {
    const { code, output } = await project.run(process.execPath, ["scripts/commands/keys.ts", ...args]).done;
    if (code !== 0) throw new Error(`npm run keys -- ${args.join(" ")} failed: ${output.slice(-300)}`);
    return /^ {2}(sk-\S+)$/m.exec(output)?.[1] ?? "";
  };
  const gets = async (key: string, status: number, what: string): Promise<void> => {
    const isSo = async () => {
      tried();
      const headers = { authorization: `Bearer ${key}` };
      return (await edge.send("/v1/models", { key: "none", headers })).status === status;
    };
    if (!(await comesTrue(isSo, 2000))) found(`${what} does not get ${status} within 2 s`);
  };
  const added = await keys("add", "temporary");
  await gets(added, 200, "a key that was added");
  const successor = await keys("rotate", "temporary", "--grace", "0");
  await gets(successor, 200, "a key that was made by a rotation");
  await gets(added, 401, "a key that was rotated");
  await keys("revoke", "temporary");
  await gets(successor, 401, "a key that was revoked");
}
