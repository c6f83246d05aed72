import { expect, test } from "vitest";
import { Backend } from "../../../gateway/src/backends/backend.ts";
import { type Choice, Placement } from "../../../gateway/src/backends/placement.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import { ApiError } from "../../../gateway/src/errors.ts";
import type { OllamaClient } from "../../../gateway/src/ollama/client.ts";
import { Random } from "../../../bench/scale/random.ts";

const config = readConfig({ BREAKER_FAILURES: "1", BREAKER_OPEN_MS: "3600000" });
const models = ["a:latest", "b:latest", "c:latest"];

interface Server {
  readonly backend: Backend;
  alive: boolean;
  held: string[];
  loaded: string[];
}

function serverAt(index: number): Server {
  const server = { alive: true, held: [...models], loaded: [] as string[] };
  const respond = <Response>(response: () => Response): Promise<Response> =>
    server.alive ? Promise.resolve(response()) : Promise.reject(new ApiError("upstream_unreachable"));
  const client = {
    version: () => respond(() => "fake"),
    models: () => respond(() => server.held.map((name) => ({ name, digest: name }))),
    running: () => respond(() => ({ models: server.loaded.map((name) => ({ name })), now: 0 })),
  } as unknown as OllamaClient;
  const address = { host: `10.0.0.${index}`, port: 11_434, slots: 1 + (index % 3) };
  return Object.assign(server, { backend: new Backend(config, address, () => client) });
}

function requirementOf(model: string) {
  const [context, keepAlive, options] = [undefined, undefined, undefined];
  return { name: model, model, context, runner: "", path: "/api/chat", keepAlive, options };
}

function outcomeOf(choice: Choice): string {
  return "ready" in choice ? "ready" : "wait" in choice ? choice.wait : choice.impossible.code;
}

/** Reference implementation of what a request gets at once: the least busy server, the first of equally busy ones. */
function scan(
  all: readonly Backend[],
  model: string,
  except: ReadonlySet<Backend> | undefined,
): { readonly ready: Backend | undefined; readonly cold: Backend | undefined; readonly isBusy: boolean } {
  const candidates = all.filter((each) => each.reachable && each.holds(model) && except?.has(each) !== true);
  const preferred = candidates.filter((each) => each.breaker.allows);
  const usable = preferred.length > 0 ? preferred : candidates;
  const [loaded = [], cold = []] = [true, false].map((isLoaded) =>
    usable
      .filter((each) => each.hasFreeSlot && each.loaded.has(requirementOf(model)) === isLoaded)
      .toSorted((left, right) => left.load - right.load),
  );
  return { ready: loaded[0], cold: cold[0], isBusy: usable.some((each) => !each.hasFreeSlot) };
}

test("the index makes the same choices as a scan of all servers", async () => {
  const random = new Random(3);
  const servers = Array.from({ length: 12 }, (_, index) => serverAt(index));
  const members = { all: servers.map(({ backend }) => backend), isStarting: false };
  const begun: string[] = [];
  const loader = {
    isLoading: ({ model }: { model: string }) => model === "c:latest" && servers[0]?.alive === true,
    failedRecently: (backend: Backend) => backend === servers[1]?.backend,
    begin: (backend: Backend, { model }: { model: string }) => {
      begun.push(`${backend.name} ${model}`);
      return Promise.resolve();
    },
  };
  const indexed = new Placement(members, loader, () => undefined);
  const seen = new Set<string>();
  for (let n = 0; n < 4000; n += 1) {
    const server = servers[random.below(servers.length)];
    if (server === undefined) throw new Error("no server");
    const { backend } = server;
    switch (random.below(7)) {
      case 0:
        server.alive = random.below(3) > 0;
        await backend.state.refresh();
        // A server counts as down after its second failure.
        await backend.state.refresh();
        break;
      case 1:
        server.held = models.filter(() => random.below(3) > 0);
        await backend.modelList.refresh();
        break;
      case 2:
        server.loaded = models.filter(() => random.below(2) === 0);
        await backend.state.refresh();
        break;
      case 3:
        if (random.below(4) === 0) backend.cordon(3_600_000);
        else backend.uncordon();
        break;
      case 4:
        if (random.below(4) === 0) backend.breaker.fail(`source ${n}`);
        else backend.breaker.succeed();
        break;
      case 5:
        if (backend.inFlight > 0) indexed.vacate(backend);
        break;
      default:
        if (backend.hasFreeSlot) indexed.occupy(backend, undefined);
    }
    const model = models[random.below(models.length + 1)] ?? "nobodys:1b";
    const failed = servers.filter(() => random.below(6) === 0).map((each) => each.backend);
    const except = random.below(2) === 0 ? undefined : new Set(failed);
    expect(indexed.knows(model)).toBe(members.all.some((each) => each.reachable && each.holds(model)));
    const { ready, cold, isBusy } = scan(members.all, model, except);
    const isLoading = loader.isLoading({ model });
    const loadsOn =
      ready !== undefined || isLoading || (isBusy && cold === members.all[1]) ? undefined : cold;
    begun.length = 0;
    const choice = indexed.choose(requirementOf(model), except);
    seen.add(`${outcomeOf(choice)} ${begun.length}`);
    expect(begun).toEqual(loadsOn === undefined ? [] : [`${loadsOn.name} ${model}`]);
    if (ready !== undefined) expect(choice).toEqual({ ready });
    else if (isBusy) expect(choice).toEqual({ wait: "slot" });
    else if (isLoading || loadsOn !== undefined) expect(choice).toEqual({ wait: "load" });
    else expect(choice).toHaveProperty("impossible");
  }
  // All kinds of outcomes were compared.
  expect([...seen]).toEqual(
    expect.arrayContaining([
      "ready 0",
      "load 0",
      "load 1",
      "slot 0",
      "slot 1",
      "upstream_unreachable 0",
      "model_not_found 0",
    ]),
  );
});
