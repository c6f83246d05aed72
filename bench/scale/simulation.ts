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
  /** Time within which all clients arrive, s. */
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
  /** Requests per second whose response ended within the run. */
  readonly perSecond: number;
  /** Time to first token of all keys but the abusive one, s. */
  readonly p50: number;
  readonly p99: number;
  /** Time to first token of the abusive key, s. */
  readonly abuserP50: number;
  /** Jain's index of the mean time to first token over the other keys: 1 means that it is equal for all. */
  readonly fairness: number;
  readonly loads: number;
  /** Share of later turns whose previous turns were in the server's prompt cache. */
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
  const counts: FleetCounts & { laterTurns: number } = {
    loads: 0,
    prompts: 0,
    cachedPrompts: 0,
    laterTurns: 0,
  };
  const servers = Array.from({ length: Math.ceil(world.servers / SPEEDS.length) }, () =>
    SPEEDS.map((speed) => new SimulatedServer(clock, speed, SLOTS, MODELS_IN_MEMORY, counts)),
  )
    .flat()
    .slice(0, world.servers);
  const models = Array.from({ length: world.models }, (_, index) => `model-${index}:latest`);
  loadModels(servers, models);
  const router = routerOf(policy, servers, models);
  failServers(world, servers, clock);
  const measured = await runClients(world, router, models, clock, () => {
    counts.laterTurns += 1;
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

/** Fills each server's memory with models, the popular ones on more servers, as after an hour of use. */
function loadModels(servers: readonly SimulatedServer[], models: readonly string[]): void {
  const popularity = new Zipf(models.length, 1);
  const random = new Random(1);
  for (const server of servers) {
    while (server.loaded.size < Math.min(MODELS_IN_MEMORY, models.length)) {
      const model = models[popularity.choose(random)];
      if (model !== undefined) server.loaded.set(model, { active: 0, usedAt: 0, cached: [] });
    }
  }
}

/** Lets a twentieth of the servers fail in the middle of the run, a few at a time, each for a tenth of the run. */
function failServers(world: World, servers: readonly SimulatedServer[], clock: VirtualClock): void {
  const random = new Random(world.seed + 1);
  for (let n = 0; n < servers.length / 20; n += 1) {
    const server = servers[random.below(servers.length)];
    const at = world.seconds * SECOND * (0.3 + 0.4 * random.next());
    clock.after(at, () => server?.fail());
    clock.after(at + world.seconds * SECOND * 0.1, () => server?.recover());
  }
}

async function runClients(
  world: World,
  router: Router,
  models: readonly string[],
  clock: VirtualClock,
  onLaterTurn: () => void,
): Promise<Measured> {
  const random = new Random(world.seed);
  const popularity = new Zipf(models.length, 1);
  const firstTokens = new Map<string, number[]>();
  const endAt = clock.now + world.seconds * SECOND;
  let [requests, failed, done, conversation] = [0, 0, 0, 0];

  /** Jobs without a first token so far, whose waiting time counts at the end of the run. */
  const pending = new Map<object, () => void>();

  const request = async (key: string, job: Omit<Job, "onFirstToken">): Promise<boolean> => {
    requests += 1;
    const sentAt = clock.now;
    const times = firstTokens.get(key) ?? [];
    firstTokens.set(key, times);
    const recordWait = (): void => void times.push((clock.now - sentAt) / SECOND);
    pending.set(job, recordWait);
    const onFirstToken = (): void => {
      pending.delete(job);
      recordWait();
    };
    try {
      await router.run({ ...job, onFirstToken }, key);
      if (clock.now <= endAt) done += 1;
      return true;
    } catch {
      failed += 1;
      return false;
    } finally {
      pending.delete(job);
    }
  };

  /** Runs a conversation of a few turns, with time to read between them. */
  const converse = (key: string, turns: number, before: number, model: string, id: number): void => {
    const newTokens = random.length(120, 1.2, 8000);
    const outputTokens = random.length(150, 1, 4000);
    if (before > 0) onLaterTurn();
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
    // A system prompt or documents, some of them long.
    const initialTokens = random.length(400, 1.3, 30_000);
    conversation += 1;
    const id = conversation;
    clock.after(at, () => {
      converse(key, turns, initialTokens, model, id);
    });
  }
  // In the middle of the run, the abusive key sends as much work as all others together.
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
  for (const recordWait of pending.values()) recordWait();
  return { requests, failed, done, firstTokens };
}

function outcomeOf(
  world: World,
  policy: Policy,
  { requests, failed, done, firstTokens }: Measured,
  counts: FleetCounts & { readonly laterTurns: number },
  cpuSeconds: number,
): Outcome {
  const otherKeys = [...firstTokens].filter(([key]) => key !== ABUSER).map(([, times]) => times);
  const all = otherKeys.flat().toSorted((left, right) => left - right);
  const abuser = (firstTokens.get(ABUSER) ?? []).toSorted((left, right) => left - right);
  const means = otherKeys.filter(({ length }) => length > 0).map((times) => sum(times) / times.length);
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
    cached: counts.cachedPrompts / counts.laterTurns,
    cpuSeconds,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
