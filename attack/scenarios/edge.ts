import { setTimeout as sleep } from "node:timers/promises";
import { waitFor, requestHead, withConnections } from "../connections.ts";
import { post, withHttp2 } from "../http2-session.ts";
import { type Attack, forEachConcurrently, range, type Scenario } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { summarize } from "../target.ts";

const path = "/v1/chat/completions";

// One byte below a million.
const DECLARED_BYTES = 999_999;
const OVERDUE_MS = 45_000;

/** Each connection declares a body and sends all but its last byte. */
async function sendIncompleteOverHttp1({ edge, countTries, reportProblem }: Attack): Promise<void> {
  const start = requestHead(edge, path, { "content-length": DECLARED_BYTES });
  const body = Buffer.alloc(DECLARED_BYTES - 1, " ");
  await withConnections(
    edge,
    200,
    async (connections) => {
      countTries(connections.length);
      // The response does not depend on the missing byte.
      await waitFor(() => connections.every(({ status, isClosed }) => status !== 0 || isClosed), OVERDUE_MS);
      const silent = connections.filter(({ status, isClosed }) => status === 0 && !isClosed);
      if (silent.length > 0)
        reportProblem(
          `${silent.length} connections without a key have no response after ${OVERDUE_MS / 1000} s`,
        );
      const unexpected = connections.filter(({ status }) => status !== 0 && (status < 400 || status > 499));
      // 503 also rejects them, for lack of capacity.
      const odd = unexpected.filter(({ status }) => status !== 503).map(({ status }) => status);
      if (odd.length > 0) reportProblem(`connections without a key got ${[...new Set(odd)].join(", ")}`);
    },
    {
      onOpen: (connection) => {
        connection.write(start);
        connection.write(body);
      },
      batchSize: 50,
    },
  );
}

async function sendIncompleteOverHttp2({ edge, countTries, reportProblem }: Attack): Promise<void> {
  const body = Buffer.alloc(DECLARED_BYTES - 1, " ");
  await withHttp2(edge, async (session) => {
    const headers = { "content-type": "application/json", "content-length": DECLARED_BYTES };
    const posts = range(200).flatMap(() => post(session, path, headers) ?? []);
    countTries(posts.length);
    for (const { stream } of posts) stream.write(body);
    const hasResponded = () => posts.every(({ status, isClosed }) => status !== 0 || isClosed);
    if (!(await waitFor(hasResponded, OVERDUE_MS)))
      reportProblem(`streams without a key have no response after ${OVERDUE_MS / 1000} s`);
    const unexpected = posts
      .map(({ status }) => status)
      .filter((status) => status !== 0 && status !== 503 && (status < 400 || status >= 500));
    if (unexpected.length > 0)
      reportProblem(`streams without a key got ${[...new Set(unexpected)].join(", ")}`);
  });
}

export const edge: readonly Scenario[] = [
  {
    section: 3,
    name: "200 connections without a key that declare a megabyte and stop one byte short",
    expected: "401 or closed, the edge stays within its 256 MiB",
    run: sendIncompleteOverHttp1,
  },
  {
    section: 3,
    name: "200 streams of one HTTP/2 connection that do the same",
    expected: "401 or closed, the edge stays within its 256 MiB",
    run: sendIncompleteOverHttp2,
  },
  {
    section: 3,
    name: "bodies sent one byte at a time with a key on 100 connections to the edge",
    expected: "ended in time",
    run: async ({ edge, countTries, reportProblem }) => {
      const authorization = `Bearer ${edge.key("attacker")}`;
      const start = requestHead(edge, path, { authorization, "content-length": 100_000 });
      await withConnections(
        edge,
        100,
        async (connections) => {
          countTries(connections.length);
          const trickle = setInterval(() => {
            for (const connection of connections) connection.write(" ");
          }, 1000);
          try {
            const isOver = () => connections.every(({ status, isClosed }) => status !== 0 || isClosed);
            if (!(await waitFor(isOver, OVERDUE_MS)))
              reportProblem(`trickling bodies are still open after ${OVERDUE_MS / 1000} s`);
          } finally {
            clearInterval(trickle);
          }
        },
        {
          onOpen: (connection) => {
            connection.write(start);
          },
        },
      );
    },
  },
  {
    section: 3,
    name: "1,500 connections to the edge that send nothing",
    expected: "closed in time",
    run: async ({ edge, countTries, reportProblem }) => {
      await withConnections(edge, 1500, async (connections) => {
        countTries(connections.length);
        await sleep(1000);
        if (!(await waitFor(() => connections.every(({ isClosed }) => isClosed), OVERDUE_MS)))
          reportProblem(`silent connections are still open after ${OVERDUE_MS / 1000} s`);
      });
    },
  },
  {
    section: 3,
    name: "5,000 HTTP/2 streams that are reset immediately",
    expected: "the edge and the gateways keep running",
    run: async ({ edge, countTries }) => {
      await forEachConcurrently(range(5), 5, () =>
        withHttp2(edge, async (session) => {
          for (let sent = 0; sent < 1000 && !session.destroyed; sent += 100) {
            const posts = range(100).flatMap(
              () => post(session, path, { "content-type": "application/json" }) ?? [],
            );
            countTries(posts.length);
            for (const { stream } of posts) stream.close(8);
            await sleep(20);
          }
        }),
      );
    },
  },
  {
    section: 3,
    name: "secrets in keys and queries, and addresses of rejected clients, in the logs",
    expected: "addresses in the edge's access log and the gateways' 401s, no secrets",
    run: async ({ edge, random, countTries, reportProblem }) => {
      const since = new Date(Date.now() - 1000);
      const secret = `hidden${random.integer(1e6, 1e9)}`;
      const ok = await edge.send(`/v1/models?token=${secret}`);
      const rejected = await edge.send(`/v1/models?token=${secret}`, {
        key: "none",
        headers: { authorization: `Bearer sk-${secret}` },
      });
      countTries(2);
      if (ok.status !== 200) reportProblem(`/v1/models: ${summarize(ok)}`);
      if (rejected.status !== 401) reportProblem(`a wrong key: ${summarize(rejected)}`);
      const { edge: edgeContainer = "", gateways } = edge.deployment.containers;
      const isLogged = async () => {
        const log = await logsSince(edgeContainer, since);
        return /"(remote_ip|client_ip|remote_addr)":"[0-9a-f.:]+"/.test(log) && log.includes("/v1/models");
      };
      if (!(await waitFor(isLogged, 10_000)))
        reportProblem("the edge does not log requests with their addresses");
      const isRejectionLogged = async () => {
        const logs = await Promise.all(gateways.map((gateway) => logsSince(gateway, since)));
        const lines = logs
          .join("\n")
          .split("\n")
          .filter((line) => line.includes('"status":401'));
        return lines.some((line) => /"[a-z_]*(address|ip|client|remote)[a-z_]*":"[0-9a-f.:]+"/.test(line));
      };
      if (!(await waitFor(isRejectionLogged, 10_000))) reportProblem("no gateway logs a 401 with an address");
      for (const container of edge.containers) {
        const log = await logsSince(container, since);
        const leaked = [secret, ...edge.deployment.keys.secrets].filter((text) => log.includes(text));
        if (leaked.length > 0) reportProblem(`the log of ${container} contains a key or a query`);
      }
    },
  },
];
