import { setTimeout as sleep } from "node:timers/promises";
import { waitFor, requestHead, withConnections } from "../connections.ts";
import { longestWaitDuring } from "../probe.ts";
import { type Attack, forEachConcurrently, range, type Scenario } from "../scenario.ts";
import { summarize, type Target } from "../target.ts";

// Generous for a busy machine: tests/gateway measures about 50 ms. Without the bounds, it was 1,200 ms and more.
const LONGEST_WAIT_MS = 1000;

/** The stack's REQUEST_TIMEOUT_MS, and time for a busy machine to notice. */
const OVERDUE_MS = 10_000 + 15_000;

const paths = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
  responses: "/v1/responses",
  messages: "/v1/messages",
  opea: "/v1/example-service",
  nativeChat: "/api/chat",
  nativeEmbed: "/api/embed",
} as const;

/** Bodies of up to about a megabyte that the route must reject, by description. */
function shapes(model: string): Readonly<Record<string, readonly [path: string, body: string]>> {
  const many = (count: number, text: string) => Array.from({ length: count }, () => text).join(",");
  const m = JSON.stringify(model);
  const keys = (count: number) =>
    range(count)
      .map((index) => `"key${index}":1`)
      .join(",");
  const hello = `"messages":[{"role":"user","content":"hi"}]`;
  const tool = `{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}`;
  return {
    "content of 499,000 zeros": [
      paths.chat,
      `{"model":${m},"messages":[{"role":"user","content":[${many(499_000, "0")}]}]}`,
    ],
    "content of 18,000 zeros": [
      paths.chat,
      `{"model":${m},"messages":[{"role":"user","content":[${many(18_000, "0")}]}]}`,
    ],
    "embeddings of 300,000 booleans": [paths.embeddings, `{"model":${m},"input":[${many(300_000, "true")}]}`],
    "Ollama's embeddings of 100,000 numbers": [
      paths.nativeEmbed,
      `{"model":${m},"input":[${many(100_000, "1")}]}`,
    ],
    "200,000 messages": [paths.chat, `{"model":${m},"messages":[${many(200_000, "{}")}]}`],
    "100,000 items of input": [paths.responses, `{"model":${m},"input":[${many(100_000, "{}")}]}`],
    "50,000 unknown keys": [paths.messages, `{"model":${m},${hello},"max_tokens":1,${keys(50_000)}}`],
    "50,000 unknown options": [paths.nativeChat, `{"model":${m},${hello},"options":{${keys(50_000)}}}`],
    "10,000 tools": [paths.chat, `{"model":${m},${hello},"tools":[${many(10_000, tool)}]}`],
    "100,000 stops": [paths.chat, `{"model":${m},${hello},"stop":[${many(100_000, '"a"')}]}`],
    "60,000 biases": [paths.chat, `{"model":${m},${hello},"logit_bias":{${keys(60_000)}}}`],
    "a seed of 900,000 digits": [paths.chat, `{"model":${m},${hello},"seed":${"9".repeat(900_000)}}`],
    "a temperature of 900,000 digits": [
      paths.opea,
      `{"model":${m},${hello},"temperature":0.${"1".repeat(900_000)}}`,
    ],
    "100,000 levels of lists": [
      paths.chat,
      `{"model":${m},"messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    ],
    "100,000 levels of objects": [
      paths.messages,
      `{"model":${m},"messages":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`,
    ],
    "a model's name of 900,000 letters": [paths.chat, `{"model":"${"m".repeat(900_000)}",${hello}}`],
    "a role of 900,000 letters": [
      paths.chat,
      `{"model":${m},"messages":[{"role":"${"r".repeat(900_000)}","content":""}]}`,
    ],
    "100,000 prompts": [paths.completions, `{"model":${m},"prompt":[${many(100_000, '"a"')}]}`],
    "one key 60,000 times": [paths.chat, `{"model":${m},${hello},${many(60_000, '"user":"a"')}}`],
    "a megabyte of invalid JSON": [paths.chat, `{"model":${m},"messages":[${many(499_000, "?")}`],
  };
}

/** Sends the headers and most of the body, then nothing. */
async function sendIncompleteBodies(
  { countTries, reportProblem }: Attack,
  target: Target,
  count: number,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const text = Buffer.alloc(65_000, " ");
  const start = requestHead(target, paths.chat, { ...fields, "content-length": 65_500 });
  await withConnections(
    target,
    count,
    async (connections) => {
      countTries(connections.length);
      // By then the gateway has decided which connections to keep open.
      await sleep(3000);
      const reply = await target.send("/health", { key: "none", withinMs: 30_000 });
      if (reply.status !== 200)
        reportProblem(`with the connections open, another client got: ${summarize(reply)}`);
      const closed = await waitFor(() => connections.every(({ isClosed }) => isClosed), OVERDUE_MS);
      if (!closed)
        reportProblem(`connections whose bodies never end are still open after ${OVERDUE_MS / 1000} s`);
    },
    {
      onOpen: (connection) => {
        connection.write(start);
        connection.write(text);
      },
    },
  );
}

export const bodies: readonly Scenario[] = [
  {
    section: 2,
    name: "invalid bodies of up to a megabyte in many shapes",
    expected: `4xx, /health within ${LONGEST_WAIT_MS / 1000} s`,
    run: async ({ direct, countTries, reportProblem }) => {
      for (const [shape, [path, body]] of Object.entries(shapes(direct.model))) {
        const longest = await longestWaitDuring(direct, async () => {
          const reply = await direct.send(path, { body });
          countTries();
          if (reply.status < 400 || reply.status > 499)
            reportProblem(`${shape} on ${path}: ${summarize(reply)}`);
        });
        if (longest > LONGEST_WAIT_MS) reportProblem(`${shape} blocked the gateway for ${longest} ms`);
      }
    },
  },
  {
    section: 2,
    name: "the same bodies through the edge, four at a time",
    expected: "4xx",
    run: async ({ edge, random, countTries, reportProblem }) => {
      const all = Object.entries(shapes(edge.model));
      await forEachConcurrently(random.sample(all, 8), 4, async ([shape, [path, body]]) => {
        const replies = await edge.sendWithRetries(() => edge.send(path, { body }));
        countTries(replies.length);
        // 503 is allowed: the memory budget for bodies may be used up.
        const bad = replies.find(({ status }) => !(status >= 400 && status <= 499) && status !== 503);
        if (bad !== undefined) reportProblem(`${shape} on ${path}: ${summarize(bad)}`);
      });
    },
  },
  {
    section: 2,
    name: "6,000 connections with one key that each send 65,000 of 65,500 bytes",
    expected: "closed in time, the gateway stays within its 512 MiB",
    run: (attack) => {
      const { direct } = attack;
      return sendIncompleteBodies(attack, direct, 6000, {
        authorization: `Bearer ${direct.key("attacker")}`,
      });
    },
  },
  {
    section: 2,
    name: "6,000 connections without a key that each send 65,000 of 65,500 bytes",
    expected: "closed in time, the gateway stays within its 512 MiB",
    run: (attack) => sendIncompleteBodies(attack, attack.direct, 6000, {}),
  },
  {
    section: 2,
    name: "connections that keep trickling a body after their 401 or 404",
    expected: "closed within 10 s of the response",
    run: async ({ direct, random, countTries, reportProblem }) => {
      const missing = requestHead(direct, "/v1/none", {
        authorization: `Bearer ${direct.key("attacker")}`,
        "content-length": 60_000,
      });
      const keyless = requestHead(direct, paths.chat, { "content-length": 60_000 });
      await withConnections(
        direct,
        400,
        async (connections) => {
          countTries(connections.length);
          const trickle = setInterval(() => {
            for (const connection of connections) connection.write(" ");
          }, 500);
          try {
            const closed = await waitFor(() => connections.every(({ isClosed }) => isClosed), 12_000);
            const open = connections.filter(({ isClosed }) => !isClosed);
            if (!closed)
              reportProblem(
                `${open.length} of ${connections.length} that got ${[...new Set(open.map(({ status }) => status))].join(", ")} are still open after 12 s`,
              );
          } finally {
            clearInterval(trickle);
          }
        },
        {
          onOpen: (connection) => {
            connection.write(random.chance(0.5) ? missing : keyless);
          },
        },
      );
    },
  },
  {
    section: 2,
    name: "headers sent one byte at a time on 1,000 connections",
    expected: "closed in time",
    run: async ({ direct, countTries, reportProblem }) => {
      await withConnections(
        direct,
        1000,
        async (connections) => {
          countTries(connections.length);
          const trickle = setInterval(() => {
            for (const connection of connections) connection.write("x");
          }, 1000);
          try {
            if (!(await waitFor(() => connections.every(({ isClosed }) => isClosed), OVERDUE_MS)))
              reportProblem(
                `connections with incomplete headers are still open after ${OVERDUE_MS / 1000} s`,
              );
          } finally {
            clearInterval(trickle);
          }
        },
        {
          onOpen: (connection) => {
            connection.write("POST /v1/chat/completions HTTP/1.1\r\nx-slow: ");
          },
        },
      );
    },
  },
  {
    section: 2,
    name: "64-bit seeds",
    expected: "200",
    run: async ({ direct, countTries, reportProblem }) => {
      for (const seed of ["9223372036854775807", "-9223372036854775808", "9007199254740993", "0"]) {
        const body = `{"model":${JSON.stringify(direct.model)},"max_tokens":1,"seed":${seed},"messages":[{"role":"user","content":"hi"}]}`;
        const reply = await direct.send(paths.chat, { body });
        countTries();
        if (reply.status !== 200) reportProblem(`seed ${seed}: ${summarize(reply)}`);
      }
    },
  },
];
