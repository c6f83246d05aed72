import { expect, test } from "vitest";
import { Backend } from "../../../gateway/src/backends/backend.ts";
import { Placement } from "../../../gateway/src/backends/placement.ts";
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
  const scanning = new Placement(members, loader, () => undefined, Infinity);
  const indexed = new Placement(members, loader, () => undefined, 1);
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
    expect(indexed.knows(model)).toBe(scanning.knows(model));
    begun.length = 0;
    const byScan = scanning.choose(requirementOf(model), except);
    const begunByScan = begun.splice(0);
    const byIndex = indexed.choose(requirementOf(model), except);
    const outcome = "ready" in byScan ? "ready" : "wait" in byScan ? byScan.wait : byScan.impossible.code;
    seen.add(`${outcome} ${begunByScan.length}`);
    if ("ready" in byScan) expect(byIndex).toEqual({ ready: byScan.ready });
    else if ("wait" in byScan) expect(byIndex).toEqual(byScan);
    else expect("impossible" in byIndex && byIndex.impossible.code).toBe(byScan.impossible.code);
    expect(begun).toEqual(begunByScan);
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
