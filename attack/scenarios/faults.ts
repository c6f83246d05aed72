import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../engine/docker-cli.ts";
import { comesTrue } from "../connections.ts";
import { each, type FaultScenario, range } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { short, type Target } from "../target.ts";
import { runnersOf } from "../watch.ts";

/** A request that takes many seconds, so that a component can be killed meanwhile. */
const long = {
  max_tokens: 700,
  messages: [{ role: "user", content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10," }],
};

/** Restarts killed containers and waits until the stack is complete again. */
async function revive(target: Target, containers: readonly string[]): Promise<void> {
  for (const container of containers) await docker(["container", "start", container]);
  const isWell = async () => {
    const format = "{{if .State.Health}}{{.State.Health.Status}}{{end}}";
    const text = await docker(["container", "inspect", "--format", format, ...containers]);
    const reply = await target.chat({ max_tokens: 1 });
    return reply.status === 200 && !/unhealthy|starting/.test(text);
  };
  if (!(await comesTrue(isWell, 120_000)))
    throw new Error(`${containers.join(", ")} did not become ready again`);
}

/** Ends the process that runs a model, in the container it is in: its ids there are not this machine's. */
async function killRunner(target: Target, ollama: string): Promise<void> {
  const script = `
    const { readdirSync, readFileSync } = require("node:fs");
    for (const pid of readdirSync("/proc").filter((name) => /^\\d+$/.test(name))) {
      let line = "";
      try { line = readFileSync("/proc/" + pid + "/cmdline", "utf8"); } catch {}
      if (/\\0runner\\0/.test(line)) process.kill(Number(pid), "SIGKILL");
    }`;
  await docker([
    ...["run", "--rm", "--network", "none", "--user", "0", `--pid=container:${ollama}`],
    ...["--entrypoint", "node", target.place.gatewayImage, "--eval", script],
  ]);
}

export const faults: readonly FaultScenario[] = [
  {
    section: 3,
    name: "a gateway that is killed while it has requests that the edge passed on completely",
    expected: "they fail once; the other gateway never sees them",
    breaks: ({ edge }) => edge.place.containers.gateways.slice(0, 1),
    run: async ({ edge, random, tried, found }) => {
      const [first = "", second = ""] = edge.place.containers.gateways;
      const since = new Date(Date.now() - 1000);
      const ids = range(6).map((index) => `attack-${random.integer(1e6, 1e9)}-${index}`);
      const replies = Promise.all(ids.map((id) => edge.chat(long, { headers: { "x-request-id": id } })));
      tried(ids.length);
      await sleep(3000);
      await docker(["container", "kill", first]);
      for (const reply of await replies) {
        if (reply.status === 200) found(`a request of a gateway that died got 200: it was sent twice`);
        else if (reply.status !== 0 && reply.status < 500)
          found(`a request of a gateway that died got ${short(reply)}`);
      }
      const log = await logsSince(second, since);
      const again = ids.filter((id) => log.includes(id));
      if (again.length > 0)
        found(`${again.length} of ${ids.length} requests were sent to the other gateway, too`);
      await revive(edge, [first]);
    },
  },
  {
    section: 1,
    name: "an Ollama server that is killed while it has requests that were sent completely",
    expected: "they fail with x-should-retry: false; the other server never sees them",
    breaks: ({ edge }) => edge.place.containers.ollamas.slice(0, 1),
    run: async ({ edge, tried, found }) => {
      const [first = ""] = edge.place.containers.ollamas;
      const replies = Promise.all(range(4).map(() => edge.chat(long)));
      tried(4);
      await sleep(3000);
      await docker(["container", "kill", first]);
      const failed = (await replies).filter(({ status }) => status !== 200);
      if (failed.length === 0)
        found("no request failed: those of the server that died were sent to the other one");
      for (const reply of failed)
        if (reply.headers["x-should-retry"] !== "false")
          found(`a request of a server that died lacks x-should-retry: ${short(reply)}`);
      await revive(edge, [first]);
    },
  },
  {
    section: 1,
    name: "three broken streams of one client, by a runner that is killed under each",
    expected: "no 503 for another client",
    breaks: ({ direct }) => direct.place.containers.ollamas,
    run: async ({ direct, tried, found }) => {
      const [ollama = ""] = direct.place.containers.ollamas;
      await each(range(3), 1, async () => {
        const stream = direct.chat({ ...long, stream: true });
        tried();
        await sleep(2000);
        await killRunner(direct, ollama);
        await stream;
      });
      const reply = await direct.chat({}, { key: "bystander" });
      tried();
      if (reply.status !== 200) found(`another client got ${short(reply)}`);
      // Its model is loaded again, with which the rest goes on.
      await comesTrue(async () => (await runnersOf(ollama)).length > 0, 30_000);
    },
  },
];
