import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { digestOf } from "../../gateway/src/auth/api-keys.ts";
import type { Scenario } from "../scenario.ts";
import { short } from "../target.ts";
import { startRefused } from "../throwaway.ts";

const digest = "0".repeat(64);

/** Lines that ask for keys and hold none. */
const emptyKeys: readonly (readonly string[])[] = [
  [`# alice sha256=${digest} (left)`],
  [""],
  ["  ", "#"],
  ["", "# none"],
];

const guessable = [
  "password",
  "letmein",
  "sk-qwertyuiop",
  "a".repeat(64),
  "0123456789".repeat(5),
  "My company 2026!",
];

/** Whether `npm run new-key` accepts a key that a person made up. */
async function isTaken(key: string): Promise<boolean> {
  const child = spawn(process.execPath, ["scripts/commands/new-key.ts", "--stdin", "attack"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin.on("error", () => undefined).end(`${key}\n`);
  const [code] = (await once(child, "close")) as [number | null];
  return code === 0;
}

export const openKeys: readonly Scenario[] = [
  {
    section: 4,
    name: "a stack for everybody whose lines of keys hold no key",
    expected: "preview refuses it",
    run: async ({ direct, random, tried, found }) => {
      const { project } = direct.place;
      const lines = random.pick(emptyKeys);
      project.configure({ gatewayApiKeys: lines, gatewayBindAddress: "0.0.0.0" });
      try {
        const { code, output } = await project.tryPulumi("preview");
        tried();
        if (code === 0) found(`${JSON.stringify(lines)} is accepted`);
        else if (!output.includes("gatewayApiKeys"))
          found(`${JSON.stringify(lines)} is refused for another reason: ${output.slice(-300)}`);
      } finally {
        project.configure({ gatewayApiKeys: direct.place.keys.lines, gatewayBindAddress: undefined });
      }
    },
  },
  {
    section: 4,
    name: "a gateway that is given keys and finds none in them",
    expected: "it does not start",
    run: async ({ direct, tried, found }) => {
      for (const API_KEYS of [`# alice sha256=${digest}`, " ", ";", "\n#\n"]) {
        tried();
        if ((await startRefused(direct, { API_KEYS })) === "started")
          found(`API_KEYS=${JSON.stringify(API_KEYS)} starts a gateway that lets everybody in`);
      }
      tried();
      if ((await startRefused(direct, { API_KEYS_FILE: "/dev/null" })) === "started")
        found("API_KEYS_FILE=/dev/null starts a gateway that lets everybody in");
    },
  },
  {
    section: 4,
    name: "keys of one's own that can be guessed",
    expected: "npm run new-key refuses them",
    everyRounds: 3,
    run: async ({ tried, found }) => {
      for (const key of guessable) {
        tried();
        if (await isTaken(key)) found(`new-key takes ${key}`);
      }
      tried();
      if (!(await isTaken(randomBytes(32).toString("hex")))) found("new-key takes no random key");
    },
  },
  {
    section: 4,
    name: "everything but a key where a key belongs",
    expected: "401",
    run: async ({ direct, edge, tried, found }) => {
      for (const target of [direct, edge]) {
        const key = target.key("attacker");
        const headers: readonly Readonly<Record<string, string>>[] = [
          {},
          { authorization: "" },
          { authorization: "Bearer" },
          { authorization: "Bearer  " },
          { authorization: "Bearer undefined" },
          { authorization: `Basic ${Buffer.from(`:${key}`).toString("base64")}` },
          { authorization: `Bearer ${digestOf(key).toString("hex")}` },
          { authorization: `Bearer ${key.toUpperCase()}` },
          { authorization: `Bearer ${key.slice(0, -1)}` },
          { authorization: `Bearer ${key},${key}` },
          { "x-api-key": "" },
          { "x-api-key": "sk-" },
          { "api-key": key },
          { cookie: `key=${key}` },
        ];
        for (const each of headers) {
          const reply = await target.chat({}, { key: "none", headers: each });
          tried();
          if (reply.status !== 401) found(`${Object.keys(each).join() || "no header"}: ${short(reply)}`);
        }
        const reply = await target.send(`/v1/models?key=${key}&api_key=${key}`, { key: "none" });
        tried();
        if (reply.status !== 401) found(`a key in the query: ${short(reply)}`);
      }
    },
  },
];
