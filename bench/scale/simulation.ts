import { Random, Zipf } from "./random.ts";
import { gatewayRouter, leastConnections, prefixAffine, type Router, roundRobin } from "./routers.ts";
import { type FleetCounts, type Job, type ServerSpeed, SimulatedServer } from "./simulated-server.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface World {
  readonly seed: number;
  readonly servers: number;
  readonly models: number;
  readonly clients: number;
  readonly keys: number;
  /** Within which all clients come, s. */
  readonly seconds: number;
}

export const policies = [
  "round robin",
  "least connections",
  "prefix-affine",
  "gateway, no affinity",
  "gateway",
] as const;
export type Policy = (typeof policies)[number];

export interface Outcome {
  readonly policy: Policy;
  readonly requests: number;
  readonly failed: number;
  /** Requests whose response ended within the time of the run, a second. */
  readonly perSecond: number;
  /** Time to first token of the keys that behave, s. */
  readonly p50: number;
  readonly p99: number;
  /** Of the key that does not behave. */
  readonly abuserP50: number;
  /** Jain's index of the mean time to first token over the keys that behave: 1 is the same for all. */
  readonly fairness: number;
  readonly loads: number;
  /** Prompts of further turns that found what came before them in the server's cache, of all further turns. */
  readonly cached: number;
  /** Processor time of the run, s. */
  readonly cpuSeconds: number;
}

const SLOTS = 4;
const MODELS_IN_MEMORY = 3;
const SECOND = 1000;
const ABUSER = "abuser";

// A third of the servers each, such as an older, a current and a large GPU with a small model.
const SPEEDS: readonly ServerSpeed[] = [
  { promptTokensPerSecond: 1500, outputTokensPerSecond: 40, loadMs: 12_000 },
  { promptTokensPerSecond: 4000, outputTokensPerSecond: 80, loadMs: 8000 },
  { promptTokensPerSecond: 10_000, outputTokensPerSecond: 140, loadMs: 5000 },
];

interface Measured {
  readonly requests: number;
  readonly failed: number;
  readonly done: number;
  readonly firstTokens: ReadonlyMap<string, readonly number[]>;
}

/** Runs the same world, client by client and token by token, under one policy. */
export async function simulate(world: World, policy: Policy, clock: VirtualClock): Promise<Outcome> {
  const started = process.cpuUsage();
  const counts: FleetCounts & { further: number } = { loads: 0, prompts: 0, cachedPrompts: 0, further: 0 };
  const servers = Array.from({ length: Math.ceil(world.servers / SPEEDS.length) }, () =>
    SPEEDS.map((speed) => new SimulatedServer(clock, speed, SLOTS, MODELS_IN_MEMORY, counts)),
  )
    .flat()
    .slice(0, world.servers);
  const models = Array.from({ length: world.models }, (_, index) => `model-${index}:latest`);
  warm(servers, models);
  const router = routerOf(policy, servers, models);
  loseServers(world, servers, clock);
  const measured = await runClients(world, router, models, clock, () => {
    counts.further += 1;
  });
  await router.close();
  const cpu = process.cpuUsage(started);
  return outcomeOf(world, policy, measured, counts, (cpu.user + cpu.system) / 1e6);
}

function routerOf(policy: Policy, servers: readonly SimulatedServer[], models: readonly string[]): Router {
  switch (policy) {
    case "round robin":
      return roundRobin(servers);
    case "least connections":
      return leastConnections(servers);
    case "prefix-affine":
      return prefixAffine(servers);
    case "gateway, no affinity":
    case "gateway":
      return gatewayRouter(servers, SLOTS, models, policy === "gateway");
  }
}

/** Each server begins with as many models as it has room for, the popular ones on more servers, as after an hour. */
function warm(servers: readonly SimulatedServer[], models: readonly string[]): void {
  const popularity = new Zipf(models.length, 1);
  const random = new Random(1);
  for (const server of servers) {
    while (server.loaded.size < Math.min(MODELS_IN_MEMORY, models.length)) {
      const model = models[popularity.choose(random)];
      if (model !== undefined) server.loaded.set(model, { active: 0, usedAt: 0, cached: [] });
    }
  }
}

/** A twentieth of the servers is lost in the middle of the run, a few at a time, for a tenth of it each. */
function loseServers(world: World, servers: readonly SimulatedServer[], clock: VirtualClock): void {
  const random = new Random(world.seed + 1);
  for (let n = 0; n < servers.length / 20; n += 1) {
    const server = servers[random.below(servers.length)];
    const at = world.seconds * SECOND * (0.3 + 0.4 * random.next());
    clock.after(at, () => server?.die());
    clock.after(at + world.seconds * SECOND * 0.1, () => server?.comeBack());
  }
}

async function runClients(
  world: World,
  router: Router,
  models: readonly string[],
  clock: VirtualClock,
  onFurther: () => void,
): Promise<Measured> {
  const random = new Random(world.seed);
  const popularity = new Zipf(models.length, 1);
  const firstTokens = new Map<string, number[]>();
  const endAt = clock.now + world.seconds * SECOND;
  let [requests, failed, done, conversation] = [0, 0, 0, 0];

  /** Without a first token so far: what their requests wait, adds to the times of their keys. */
  const silent = new Map<object, () => void>();

  const request = async (key: string, job: Omit<Job, "onFirstToken">): Promise<boolean> => {
    requests += 1;
    const asked = clock.now;
    const times = firstTokens.get(key) ?? [];
    firstTokens.set(key, times);
    const note = (): void => void times.push((clock.now - asked) / SECOND);
    silent.set(job, note);
    const onFirstToken = (): void => {
      silent.delete(job);
      note();
    };
    try {
      await router.run({ ...job, onFirstToken }, key);
      if (clock.now <= endAt) done += 1;
      return true;
    } catch {
      failed += 1;
      return false;
    } finally {
      silent.delete(job);
    }
  };

  /** A conversation of a few turns, with time to read between them. */
  const converse = (key: string, turns: number, before: number, model: string, id: number): void => {
    const newTokens = random.length(120, 1.2, 8000);
    const outputTokens = random.length(150, 1, 4000);
    if (before > 0) onFurther();
    void request(key, {
      model,
      conversation: id,
      promptTokens: before + newTokens,
      newTokens,
      outputTokens,
    }).then((ok) => {
      if (!ok || turns === 1) return;
      const history = before + newTokens + outputTokens;
      clock.after(random.waiting(20) * SECOND, () => {
        converse(key, turns - 1, history, model, id);
      });
    });
  };

  for (let client = 0; client < world.clients; client += 1) {
    const key = `key-${client % world.keys}`;
    const at = random.next() * world.seconds * SECOND;
    const turns = 1 + Math.floor(random.waiting(2));
    const model = models[popularity.choose(random)] ?? "";
    // A system prompt or documents, of which some are long.
    const given = random.length(400, 1.3, 30_000);
    conversation += 1;
    const id = conversation;
    clock.after(at, () => {
      converse(key, turns, given, model, id);
    });
  }
  // In the middle of the run, as much work as all others together have then.
  const abuses = Math.round(world.clients * 0.4);
  for (let n = 0; n < abuses; n += 1) {
    const at = world.seconds * SECOND * (0.3 + 0.3 * random.next());
    const model = models[popularity.choose(random)] ?? "";
    const [promptTokens, outputTokens] = [random.length(800, 1, 30_000), random.length(400, 1, 4000)];
    conversation += 1;
    const id = conversation;
    clock.after(at, () => {
      void request(ABUSER, { model, conversation: id, promptTokens, newTokens: promptTokens, outputTokens });
    });
  }
  await clock.run(endAt);
  for (const note of silent.values()) note();
  return { requests, failed, done, firstTokens };
}

function outcomeOf(
  world: World,
  policy: Policy,
  { requests, failed, done, firstTokens }: Measured,
  counts: FleetCounts & { readonly further: number },
  cpuSeconds: number,
): Outcome {
  const innocent = [...firstTokens].filter(([key]) => key !== ABUSER).map(([, times]) => times);
  const all = innocent.flat().toSorted((left, right) => left - right);
  const abuser = (firstTokens.get(ABUSER) ?? []).toSorted((left, right) => left - right);
  const means = innocent.filter(({ length }) => length > 0).map((times) => sum(times) / times.length);
  return {
    policy,
    requests,
    failed,
    perSecond: done / world.seconds,
    p50: quantile(all, 0.5),
    p99: quantile(all, 0.99),
    abuserP50: quantile(abuser, 0.5),
    fairness: sum(means) ** 2 / (means.length * sum(means.map((mean) => mean ** 2))),
    loads: counts.loads,
    cached: counts.cachedPrompts / counts.further,
    cpuSeconds,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
