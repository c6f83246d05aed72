import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Outcome, Policy, World } from "../../../bench/scale/simulation.ts";

const run = promisify(execFile);
const world: World = { seed: 1, servers: 20, models: 12, clients: 800, keys: 20, seconds: 120 };

/** Runs with virtual clocks, so the outcome does not depend on the machine's load. Takes a second or two. */
async function simulate(policy: Policy, settings = world): Promise<Omit<Outcome, "cpuSeconds">> {
  const script = "bench/scale/run-simulation.ts";
  const { stdout } = await run(process.execPath, [script, policy, JSON.stringify(settings)]);
  const { cpuSeconds, ...outcome } = JSON.parse(stdout) as Outcome;
  expect(cpuSeconds).toBeGreaterThan(0);
  return outcome;
}

test("in a simulated fleet, the gateway beats routers without a queue, and a greedy key slows only itself", async () => {
  const gateway = await simulate("gateway");
  const plain = await simulate("gateway, no affinity");
  const others = [
    await simulate("round robin"),
    await simulate("least connections"),
    await simulate("prefix-affine"),
  ];
  for (const other of others) {
    expect(gateway.p50).toBeLessThan(other.p50);
    expect(gateway.p99).toBeLessThan(other.p99);
    expect(gateway.loads).toBeLessThan(other.loads);
  }
  expect(gateway.cached).toBeGreaterThan(2 * plain.cached);
  expect(gateway.abuserP50).toBeGreaterThan(2 * gateway.p50);
});

test("a simulation is reproducible for a seed and differs between seeds", async () => {
  const small = { ...world, servers: 5, models: 4, clients: 100, seconds: 60 };
  const first = await simulate("gateway", small);
  expect(await simulate("gateway", small)).toEqual(first);
  expect(await simulate("gateway", { ...small, seed: 2 })).not.toEqual(first);
});
