import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { digestOf } from "../../gateway/src/auth/api-keys.ts";
import type { Scenario } from "../scenario.ts";
import { summarize } from "../target.ts";
import { tryStart } from "../extra-gateway.ts";

const digest = "0".repeat(64);

/** Key lines that contain no key. */
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

/** Whether `npm run new-key` accepts a key chosen by a user. */
async function isAccepted(key: string): Promise<boolean> {
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
    name: "a public stack whose key lines contain no key",
    expected: "preview rejects it",
    run: async ({ direct, random, countTries, reportProblem }) => {
      const { project } = direct.deployment;
      const lines = random.pick(emptyKeys);
      project.configure({ gatewayApiKeys: lines, gatewayBindAddress: "0.0.0.0" });
      try {
        const { code, output } = await project.tryPulumi("preview");
        countTries();
        if (code === 0) reportProblem(`${JSON.stringify(lines)} is accepted`);
        else if (!output.includes("gatewayApiKeys"))
          reportProblem(`${JSON.stringify(lines)} is rejected for another reason: ${output.slice(-300)}`);
      } finally {
        project.configure({ gatewayApiKeys: direct.deployment.keys.lines, gatewayBindAddress: undefined });
      }
    },
  },
  {
    section: 4,
    name: "a gateway whose key settings contain no key",
    expected: "it does not start",
    run: async ({ direct, countTries, reportProblem }) => {
      for (const API_KEYS of [`# alice sha256=${digest}`, " ", ";", "\n#\n"]) {
        countTries();
        if ((await tryStart(direct, { API_KEYS })) === "started")
          reportProblem(`API_KEYS=${JSON.stringify(API_KEYS)} starts a gateway without keys`);
      }
      countTries();
      if ((await tryStart(direct, { API_KEYS_FILE: "/dev/null" })) === "started")
        reportProblem("API_KEYS_FILE=/dev/null starts a gateway without keys");
    },
  },
  {
    section: 4,
    name: "guessable keys chosen by a user",
    expected: "npm run new-key rejects them",
    everyRounds: 3,
    run: async ({ countTries, reportProblem }) => {
      for (const key of guessable) {
        countTries();
        if (await isAccepted(key)) reportProblem(`new-key accepts ${key}`);
      }
      countTries();
      if (!(await isAccepted(randomBytes(32).toString("hex")))) reportProblem("new-key rejects a random key");
    },
  },
  {
    section: 4,
    name: "missing, malformed and misplaced keys",
    expected: "401",
    run: async ({ direct, edge, countTries, reportProblem }) => {
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
        for (const header of headers) {
          const reply = await target.chat({}, { key: "none", headers: header });
          countTries();
          if (reply.status !== 401)
            reportProblem(`${Object.keys(header).join() || "no header"}: ${summarize(reply)}`);
        }
        const reply = await target.send(`/v1/models?key=${key}&api_key=${key}`, { key: "none" });
        countTries();
        if (reply.status !== 401) reportProblem(`a key in the query: ${summarize(reply)}`);
      }
    },
  },
];
