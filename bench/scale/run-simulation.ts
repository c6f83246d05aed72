// Simulates a policy in a separate process with virtual clocks: node bench/scale/run-simulation.ts POLICY WORLD
import { type Policy, simulate, type World } from "./simulation.ts";
import { VirtualClock } from "./virtual-clock.ts";

const [policy, world] = process.argv.slice(2) as [Policy, string];
const clock = new VirtualClock();
clock.install();
process.stdout.write(JSON.stringify(await simulate(JSON.parse(world) as World, policy, clock)));
process.exit(0);
