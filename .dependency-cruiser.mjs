// Which room may import which; `npm run lint` checks it. A room imports itself, the rooms listed beside it, Node.js and
// packages, and nothing else of the project. What each room is for is in docs/architecture.md.

/** Gateway: paths below gateway/src. */
const gateway = {
  "error-catalogue.ts": [],
  "errors.ts": ["error-catalogue.ts"],
  lib: [],
  ollama: ["errors.ts", "lib"],
  auth: ["errors.ts", "lib", "ollama"],
  console: [],
  config: ["auth", "console", "lib", "ollama"],
  "json-schema": ["errors.ts", "lib"],
  "json-schema/limits": ["errors.ts", "lib"],
  "json-schema/pattern": ["json-schema/limits"],
  "json-schema/walk": ["json-schema/limits", "json-schema/pattern", "lib"],
  apis: ["errors.ts", "json-schema", "lib", "ollama"],
  backends: ["config", "errors.ts", "lib", "ollama"],
  scheduling: ["auth", "backends", "errors.ts", "lib", "ollama"],
  observability: ["backends", "errors.ts", "lib", "ollama", "scheduling"],
  usage: ["lib"],
  plugins: ["apis", "auth", "errors.ts", "lib", "observability", "usage"],
  "response-store": ["apis", "errors.ts"],
  "shared-state": ["apis", "auth", "backends", "config", "errors.ts", "response-store", "scheduling"],
  standby: ["config"],
  generation: ["apis", "app-context.ts", "backends", "errors.ts", "lib", "ollama", "scheduling"],
  openapi: [],
  admin: [
    "app-context.ts",
    "auth",
    "backends",
    "errors.ts",
    "lib",
    "observability",
    "ollama",
    "openapi",
    "scheduling",
    "usage",
  ],
  "admin/contract": [],
  control: ["scheduling"],
  routes: [
    "apis",
    "app-context.ts",
    "auth",
    "console",
    "errors.ts",
    "generation",
    "lib",
    "observability",
    "ollama",
    "openapi",
    "response-store",
  ],
  bin: [],
};

/** Everything else: paths from the project's root. */
const project = {
  engine: ["host"],
  cluster: ["host"],
  host: [],
  policy: ["gateway/src/auth"],
  "components/config": ["gateway/src/auth", "gateway/src/config"],
  "components/planning": ["cluster", "components/config", "engine", "host"],
  console: ["gateway/src/admin/contract"],
  "components/resources": [
    "cluster",
    "console/build.ts",
    "components/config",
    "components/planning",
    "engine",
    "gateway/src/config",
    "monitoring",
  ],
  monitoring: [],
  "components/commands": ["cluster", "components/config", "engine", "gateway/src/auth", "host"],
  toolchain: ["engine", "host", "scripts/node"],
  "scripts/node": ["host"],
  "scripts/stack": ["cluster", "engine", "host"],
  "scripts/registry": ["host"],
  "scripts/setup": ["engine", "host", "scripts/stack", "toolchain"],
  "scripts/update": ["cluster", "scripts/registry", "engine", "host", "scripts/stack"],
  "scripts/connect": ["cluster", "components/config", "engine", "scripts/stack"],
  "scripts/drift": ["cluster", "components/config", "engine", "scripts/connect", "scripts/stack"],
  "scripts/preview": ["components/config", "engine", "scripts/registry"],
  "scripts/keys": ["components/config", "gateway/src/auth", "host", "scripts/stack"],
  "scripts/pin": ["components/config", "components/planning", "engine", "scripts/registry", "scripts/stack"],
  "scripts/purge": ["cluster", "engine", "host", "scripts/stack", "toolchain"],
  "scripts/cli": ["scripts/registry", "host", "scripts/setup", "scripts/stack"],
  "scripts/doctor": [
    "cluster",
    "components/config",
    "components/planning",
    "engine",
    "host",
    "scripts/stack",
    "toolchain",
  ],
  "scripts/observe": [
    "cluster",
    "components/config",
    "engine",
    "gateway/src/admin/contract",
    "gateway/src/usage",
    "host",
  ],
  "scripts/test-runner": [],
  "scripts/docs": [],
};

const inRoom = (/** @type {string} */ room) =>
  `^${room.replaceAll(".", "\\.")}${/\.\w+$/.test(room) ? "$" : "/"}`;

/** One rule per room: what it imports of the project is itself or listed. */
const roomRule = (room, allowed) => ({
  name: `room ${room}`,
  comment: `${room} may import ${allowed.length === 0 ? "no other room" : allowed.join(", ")}`,
  severity: "error",
  from: { path: inRoom(room) },
  to: { path: ours, pathNot: [room, ...allowed].map(inRoom) },
});

const ours =
  "^(gateway/src|cluster|components|console|engine|host|monitoring|scripts|toolchain|policy|bench|attack|compat|tests|test-support|index\\.ts)";

export default {
  forbidden: [
    { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
    ...Object.entries(gateway).map(([room, allowed]) =>
      roomRule(
        `gateway/src/${room}`,
        allowed.map((each) => `gateway/src/${each}`),
      ),
    ),
    ...Object.entries(project).map(([room, allowed]) => roomRule(room, allowed)),
    {
      name: "commands are imported by nothing",
      comment:
        "An npm script's file reads options, calls rooms and prints; what others need belongs in a room.",
      severity: "error",
      from: { path: ours, pathNot: "^(scripts/commands|tests|bench)/" },
      to: { path: "^scripts/commands/" },
    },
    {
      name: "Pulumi's providers only in resources",
      severity: "error",
      from: { path: ours, pathNot: "^(components/resources|tests|test-support)/" },
      to: { path: "^node_modules/@pulumi/(docker|command)/" },
    },
    {
      name: "scripts of an update load no Pulumi",
      comment: "They start in milliseconds, once for each resource.",
      severity: "error",
      from: { path: "^(components/commands|cluster|engine|host)/" },
      to: { path: "^node_modules/@pulumi/" },
    },
    {
      name: "translation knows no HTTP framework",
      severity: "error",
      from: { path: "^gateway/src/(apis|json-schema)/" },
      to: { path: "^node_modules/fastify/" },
    },
    {
      name: "product imports no tests",
      severity: "error",
      from: { path: "^(gateway/src|cluster|components|console|engine|host|policy|toolchain)/" },
      to: { path: "^(tests|test-support|bench|attack|compat)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/dist/" },
  },
};
