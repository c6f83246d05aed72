import { setTimeout as sleep } from "node:timers/promises";
import { comesTrue, head, withConnections } from "../connections.ts";
import { post, withHttp2 } from "../http2-session.ts";
import { type Attack, each, range, type Scenario } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { short } from "../target.ts";

const path = "/v1/chat/completions";

// A byte more, and it would be a million.
const ANNOUNCED = 999_999;
const OVERDUE_MS = 45_000;

/** Each announces a body and sends all but its last byte. */
async function announceOverHttp1({ edge, tried, found }: Attack): Promise<void> {
  const start = head(edge, path, { "content-length": ANNOUNCED });
  const body = Buffer.alloc(ANNOUNCED - 1, " ");
  await withConnections(
    edge,
    200,
    async (connections) => {
      tried(connections.length);
      // The response need not wait for the byte that is missing.
      await comesTrue(
        () => connections.every(({ status, isClosed }) => status !== 0 || isClosed),
        OVERDUE_MS,
      );
      const silent = connections.filter(({ status, isClosed }) => status === 0 && !isClosed);
      if (silent.length > 0)
        found(`${silent.length} connections without a key have no response after ${OVERDUE_MS / 1000} s`);
      const refused = connections.filter(({ status }) => status !== 0 && (status < 400 || status > 499));
      // 503: no room for so many; also a refusal.
      const odd = refused.filter(({ status }) => status !== 503).map(({ status }) => status);
      if (odd.length > 0) found(`connections without a key got ${[...new Set(odd)].join(", ")}`);
    },
    {
      opened: (connection) => {
        connection.write(start);
        connection.write(body);
      },
      atOnce: 50,
    },
  );
}

async function announceOverHttp2({ edge, tried, found }: Attack): Promise<void> {
  const body = Buffer.alloc(ANNOUNCED - 1, " ");
  await withHttp2(edge, async (session) => {
    const headers = { "content-type": "application/json", "content-length": ANNOUNCED };
    const posts = range(200).flatMap(() => post(session, path, headers) ?? []);
    tried(posts.length);
    for (const { stream } of posts) stream.write(body);
    const isAnswered = () => posts.every(({ status, isClosed }) => status !== 0 || isClosed);
    if (!(await comesTrue(isAnswered, OVERDUE_MS)))
      found(`streams without a key have no response after ${OVERDUE_MS / 1000} s`);
    const odd = posts.map(({ status }) => status).filter((status) => status !== 0 && status < 400);
    if (odd.length > 0) found(`streams without a key got ${[...new Set(odd)].join(", ")}`);
  });
}

export const edge: readonly Scenario[] = [
  {
    section: 3,
    name: "200 connections without a key that announce a megabyte and stop a byte short",
    expected: "401 or closed, the edge lives in its 256 MiB",
    run: announceOverHttp1,
  },
  {
    section: 3,
    name: "200 streams of one HTTP/2 connection that do the same",
    expected: "401 or closed, the edge lives in its 256 MiB",
    run: announceOverHttp2,
  },
  {
    section: 3,
    name: "bodies a byte at a time, with a key, on 100 connections to the edge",
    expected: "ended in time",
    run: async ({ edge, tried, found }) => {
      const authorization = `Bearer ${edge.key("attacker")}`;
      const start = head(edge, path, { authorization, "content-length": 100_000 });
      await withConnections(
        edge,
        100,
        async (connections) => {
          tried(connections.length);
          const drip = setInterval(() => {
            for (const connection of connections) connection.write(" ");
          }, 1000);
          try {
            const isOver = () => connections.every(({ status, isClosed }) => status !== 0 || isClosed);
            if (!(await comesTrue(isOver, OVERDUE_MS)))
              found(`bodies that drip have no end after ${OVERDUE_MS / 1000} s`);
          } finally {
            clearInterval(drip);
          }
        },
        {
          opened: (connection) => {
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
    run: async ({ edge, tried, found }) => {
      await withConnections(edge, 1500, async (connections) => {
        tried(connections.length);
        await sleep(1000);
        if (!(await comesTrue(() => connections.every(({ isClosed }) => isClosed), OVERDUE_MS)))
          found(`silent connections are still open after ${OVERDUE_MS / 1000} s`);
      });
    },
  },
  {
    section: 3,
    name: "5,000 streams over HTTP/2 that are reset at once",
    expected: "the edge and the gateways live",
    run: async ({ edge, tried }) => {
      await each(range(5), 5, () =>
        withHttp2(edge, async (session) => {
          for (let sent = 0; sent < 1000 && !session.destroyed; sent += 100) {
            const posts = range(100).flatMap(
              () => post(session, path, { "content-type": "application/json" }) ?? [],
            );
            tried(posts.length);
            for (const { stream } of posts) stream.close(8);
            await sleep(20);
          }
        }),
      );
    },
  },
  {
    section: 3,
    name: "requests whose key and query must not be in a log, and refused ones whose address must be",
    expected: "an access log of the edge and 401s of the gateways with addresses, without secrets",
    run: async ({ edge, random, tried, found }) => {
      const since = new Date(Date.now() - 1000);
      const secret = `hidden${random.integer(1e6, 1e9)}`;
      const ok = await edge.send(`/v1/models?token=${secret}`);
      const refused = await edge.send(`/v1/models?token=${secret}`, {
        key: "none",
        headers: { authorization: `Bearer sk-${secret}` },
      });
      tried(2);
      if (ok.status !== 200) found(`/v1/models: ${short(ok)}`);
      if (refused.status !== 401) found(`a wrong key: ${short(refused)}`);
      const { edge: front = "", gateways } = edge.place.containers;
      const isLogged = async () => {
        const log = await logsSince(front, since);
        return /"(remote_ip|client_ip|remote_addr)":"[0-9a-f.:]+"/.test(log) && log.includes("/v1/models");
      };
      if (!(await comesTrue(isLogged, 10_000))) found("the edge logs no requests with their addresses");
      const isRefusalLogged = async () => {
        const logs = await Promise.all(gateways.map((gateway) => logsSince(gateway, since)));
        const lines = logs
          .join("\n")
          .split("\n")
          .filter((line) => line.includes('"status":401'));
        return lines.some((line) => /"[a-z_]*(address|ip|client|remote)[a-z_]*":"[0-9a-f.:]+"/.test(line));
      };
      if (!(await comesTrue(isRefusalLogged, 10_000))) found("no gateway logs a 401 with an address");
      for (const container of edge.containers) {
        const log = await logsSince(container, since);
        const shown = [secret, ...edge.place.keys.secrets].filter((text) => log.includes(text));
        if (shown.length > 0) found(`the log of ${container} has a key or a query in it`);
      }
    },
  },
];
