// Loaded by Node.js before the program (nodeargs in Pulumi.yaml): half of the time that Pulumi's SDK takes to load, and
// the source maps that it reads at every resource, are for what this program has not: functions in resources, traces,
// other programs that it runs, and TypeScript that was compiled. All of it is still there for whoever uses it; it is only loaded then.
import Module, { createRequire, enableCompileCache } from "node:module";
import { join } from "node:path";
import { compileCache } from "../host/cache-dir.mjs";

// The npm scripts have set it for all of Node.js; for a plain `pulumi up` it is set here.
enableCompileCache(compileCache());

// As the SDK itself would find them.
const sdk = createRequire(join(process.cwd(), "node_modules", "@pulumi", "pulumi", "index.js"));

/** What serialises functions (npm's dependency resolver and TypeScript), and what drives the CLI from a program. */
const forOthers = ["@npmcli/arborist", "normalize-package-data", "./typescript-shim", "./automation"];
/** What sends traces, with --tracing or TRACEPARENT. The SDK takes nothing but functions and classes from it. */
const forTraces = [
  "@opentelemetry/exporter-zipkin",
  "@opentelemetry/instrumentation",
  "@opentelemetry/instrumentation-grpc",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-trace-base",
  "@opentelemetry/sdk-trace-node",
];

const held: string[] = [];
for (const name of forOthers) hold(name, (load) => stub({}, load, (key) => load()[key]));
for (const name of forTraces) hold(name, (load) => stub({}, load, (key) => stubFunction(load, key)));
// Once a debugger listens in, each script that is loaded takes longer, for the place of a function that cannot be serialised.
hold("./runtime/closure/v8Hooks", (load) =>
  stub({}, load, (key) => (key === "isInitializedAsync" ? () => Promise.resolve() : load()[key])),
);
// A stack trace names the SDK's JavaScript instead of its TypeScript, which is not there anyway.
hold("source-map-support/register", () => ({}));

type Exports = Record<PropertyKey, unknown>;

/** Puts something in the place of a module; one that another version of the SDK does not have is left out. */
function hold(name: string, make: (load: () => Exports) => object): void {
  let path: string;
  try {
    path = sdk.resolve(name);
  } catch {
    return;
  }
  let loaded: Exports | undefined;
  const module = new Module(path);
  module.filename = path;
  module.loaded = true;
  module.exports = make(() => {
    if (loaded !== undefined) return loaded;
    // What one of them needs of the others is the real thing.
    for (const other of held.splice(0)) Reflect.deleteProperty(sdk.cache, other);
    return (loaded = sdk(path) as Exports);
  });
  sdk.cache[path] = module;
  held.push(path);
}

/** Looks like the module that `load` returns, and loads it when something of it is wanted. */
function stub(target: object, load: () => object, get: (key: PropertyKey) => unknown): object {
  return new Proxy(target, {
    get: (_, key) => {
      // TypeScript's way to import would copy all of a module that does not say so.
      if (key === "__esModule") return true;
      return key === "default" && !(key in load()) ? load() : get(key);
    },
    has: (_, key) => key in load(),
  });
}

/** The same for a function or a class of it: it is taken out of the module at once, and seldom called. */
function stubFunction(load: () => Exports, key: PropertyKey): object {
  const real = () => load()[key] as (...args: unknown[]) => object;
  // One that can be constructed, too.
  const target = function (this: unknown) {
    return this;
  };
  return new Proxy(target, {
    get: (_, property): unknown => Reflect.get(real(), property),
    apply: (_, self, args): unknown => Reflect.apply(real(), self, args),
    construct: (_, args): object => Reflect.construct(real(), args) as object,
  });
}
