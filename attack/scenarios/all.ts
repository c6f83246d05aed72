import type { Scenario } from "../scenario.ts";
import { bodies } from "./bodies.ts";
import { edge } from "./edge.ts";
import { limits } from "./limits.ts";
import { openKeys } from "./open-keys.ts";
import { schemas } from "./schemas.ts";
import { teamKeys } from "./team-keys.ts";
import { webPages } from "./web-pages.ts";

export { faults } from "./faults.ts";

/** The scenarios of a round, in this order. */
export const scenarios: readonly Scenario[] = [
  ...schemas,
  ...bodies,
  ...edge,
  ...openKeys,
  ...webPages,
  ...limits,
  ...teamKeys,
];
