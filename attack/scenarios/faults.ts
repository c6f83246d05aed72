import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../engine/docker-cli.ts";
import { waitFor } from "../connections.ts";
import { forEachConcurrently, type FaultScenario, range } from "../scenario.ts";
import { logsSince } from "../stacks.ts";
import { summarize, type Target } from "../target.ts";
import { runnersOf } from "../watch.ts";

/** Takes many seconds, so that a component can be killed meanwhile. */
const longRequest = {
  max_tokens: 700,
  messages: [{ role: "user", content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10," }],
};

/** Restarts killed containers and waits until the stack is ready. */
async function restart(target: Target, containers: readonly string[]): Promise<void> {
  for (const container of containers) await docker(["container", "start", container]);
  const isReady = async () => {
    const format = "{{if .State.Health}}{{.State.Health.Status}}{{end}}";
    const text = await docker(["container", "inspect", "--format", format, ...containers]);
    const reply = await target.chat({ max_tokens: 1 });
    return reply.status === 200 && !/unhealthy|starting/.test(text);
  };
  if (!(await waitFor(isReady, 120_000)))
    throw new Error(`${containers.join(", ")} did not become ready again`);
}

/** Kills the model runner from within the container's PID namespace. */
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
    ...["--entrypoint", "node", target.deployment.gatewayImage, "--eval", script],
  ]);
}

export const faults: readonly FaultScenario[] = [
  {
    section: 3,
    name: "a gateway killed while it runs requests that the edge has forwarded completely",
    expected: "they fail once; the other gateway never receives them",
    breaks: ({ edge }) => edge.deployment.containers.gateways.slice(0, 1),
    run: async ({ edge, random, countTries, reportProblem }) => {
      const [first = "", second = ""] = edge.deployment.containers.gateways;
      const since = new Date(Date.now() - 1000);
      const ids = range(6).map((index) => `attack-${random.integer(1e6, 1e9)}-${index}`);
      const replies = Promise.all(
        ids.map((id) => edge.chat(longRequest, { headers: { "x-request-id": id } })),
      );
      countTries(ids.length);
      await sleep(3000);
      await docker(["container", "kill", first]);
      for (const reply of await replies) {
        if (reply.status === 200)
          reportProblem(`a request of the killed gateway got 200, so it was sent twice`);
        else if (reply.status !== 0 && reply.status < 500)
          reportProblem(`a request of the killed gateway got ${summarize(reply)}`);
      }
      const log = await logsSince(second, since);
      const resent = ids.filter((id) => log.includes(id));
      if (resent.length > 0)
        reportProblem(`${resent.length} of ${ids.length} requests were also sent to the other gateway`);
      await restart(edge, [first]);
    },
  },
  {
    section: 1,
    name: "an Ollama server killed while it runs completely sent requests",
    expected: "they fail with x-should-retry: false; the other server never receives them",
    breaks: ({ edge }) => edge.deployment.containers.ollamas.slice(0, 1),
    run: async ({ edge, countTries, reportProblem }) => {
      const [first = ""] = edge.deployment.containers.ollamas;
      const replies = Promise.all(range(4).map(() => edge.chat(longRequest)));
      countTries(4);
      await sleep(3000);
      await docker(["container", "kill", first]);
      const failed = (await replies).filter(({ status }) => status !== 200);
      if (failed.length === 0)
        reportProblem("no request failed, so those of the killed server were sent to the other one");
      for (const reply of failed)
        if (reply.headers["x-should-retry"] !== "false")
          reportProblem(`a request of the killed server lacks x-should-retry: ${summarize(reply)}`);
      await restart(edge, [first]);
    },
  },
  {
    section: 1,
    name: "three streams of one client, each broken by killing the model runner",
    expected: "no 503 for another client",
    breaks: ({ direct }) => direct.deployment.containers.ollamas,
    run: async ({ direct, countTries, reportProblem }) => {
      const [ollama = ""] = direct.deployment.containers.ollamas;
      await forEachConcurrently(range(3), 1, async () => {
        const stream = direct.chat({ ...longRequest, stream: true });
        countTries();
        await sleep(2000);
        await killRunner(direct, ollama);
        await stream;
      });
      const reply = await direct.chat({}, { key: "bystander" });
      countTries();
      if (reply.status !== 200) reportProblem(`another client got ${summarize(reply)}`);
      // The model must be loaded again before the next scenario.
      await waitFor(async () => (await runnersOf(ollama)).length > 0, 30_000);
    },
  },
];
