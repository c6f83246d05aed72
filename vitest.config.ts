import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { notApplicable } from "./test-support/applicable.ts";

const minutes = 60_000;

// What brings real stacks up and down: after the others, for a model that shares its cores answers many times slower.
const stacks = {
  fileParallelism: false,
  // Of tests that run side by side: a preview waits for half of its time.
  maxConcurrency: Math.max(2, availableParallelism()),
  sequence: { groupOrder: 1 },
  testTimeout: 10 * minutes,
  hookTimeout: 15 * minutes,
  expect: { poll: { timeout: minutes } },
};

// What starts programs takes longer than the usual 5 and 10 s on a machine that is busy with something else.
const processes = {
  testTimeout: minutes,
  hookTimeout: minutes,
  expect: { poll: { timeout: (minutes * 3) / 4 } },
};

// What measures processor time of the gateway on bodies of the largest size: by itself, and not while somebody waits.
const measuredAlone = ["tests/gateway/plugins/stalling-*.test.ts"];

// Where Pulumi's mocks are.
const declaring = "tests/unit/resources/**/*.test.ts";

// What starts programs one after another, bundles, reads all sources or the clients' own types, runs every scenario of
// the clients, or waits for what takes its time: half of the time of all that needs no engine. npm run test:fast leaves
// it out.
const takesLonger = [
  "tests/unit/commands/{check-gpu-memory,delete-model,drain,gguf-file,keep-models,model-install,readiness}.test.ts",
  "tests/unit/engine/tunnel.test.ts",
  "tests/unit/repo/docs.test.ts",
  "tests/unit/resources/gateway-bundle.test.ts",
  "tests/gateway/apis/sdk-parameters.test.ts",
  "tests/gateway/server.test.ts",
  "tests/gateway/backends/backend-recovery.test.ts",
  "tests/gateway/clients/compat-scenarios.test.ts",
  "tests/gateway/generation/slow-reader.test.ts",
  "tests/gateway/plugins/{connection-limits,content-encoding}.test.ts",
  "tests/gateway/scheduling/{drain-controller,simulation}.test.ts",
  "tests/gateway/{shared-state,standby}/*.test.ts",
  "tests/gateway/ollama/lost-machine.test.ts",
];

// Clients in Python, of a gateway in process.
const pythonClients = ["tests/e2e/gateway-python*.test.ts"];

const engineMakesNoDifference = [
  "tests/e2e/{actionlint,alert-rules,attack,bench,console,edge-limits,edge-retries,gateway-clients,gateway-python*}.test.ts",
  "tests/e2e/{keys-in-parallel,ollama-curl-examples,schema-fuzz}.test.ts",
];

// What other files test on Docker 29 in more detail.
const ofOlderEngines = "tests/e2e/older-engine.test.ts";

const inClusterWithoutProvider = ["cluster", "objects", "service"].map(
  (name) => `tests/kubernetes/${name}.test.ts`,
);

// The files have one cluster, in one process, and what is left of it is removed when that has ended.
const inOneCluster = {
  ...stacks,
  isolate: false,
  globalSetup: "test-support/cluster/remove-cluster.ts",
};

const leftOut = notApplicable().flatMap(({ files }) => files);

// unit, declarations, gateway, programs and clients are the part that needs no engine.
export default defineConfig({
  test: {
    // They wait more than they reckon: with a worker for each core but one, two cores took twice as long.
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: "unit",
          include: ["tests/unit/**/*.test.ts"],
          exclude: [...takesLonger, declaring],
          // To load what they import anew for each file took a third of the time.
          isolate: false,
          ...processes,
        },
      },
      // Pulumi's mocks are there once in a process.
      { test: { name: "declarations", include: [declaring], exclude: takesLonger, ...processes } },
      {
        test: {
          name: "gateway",
          include: ["tests/gateway/**/*.test.ts"],
          exclude: [...measuredAlone, ...takesLonger],
          // Each test has a gateway and an Ollama of its own; loading the clients anew for each file took half the time.
          isolate: false,
          ...processes,
        },
      },
      { test: { name: "programs", include: takesLonger, ...processes } },
      {
        test: {
          name: "bounds",
          include: measuredAlone,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          ...processes,
        },
      },
      {
        test: {
          // Programs that are installed for it: hundreds of MB.
          name: "compat",
          include: ["tests/compat/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 3 * minutes,
          expect: { poll: { timeout: minutes } },
        },
      },
      {
        test: {
          name: "smoke",
          include: ["tests/smoke/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 2 * minutes,
          hookTimeout: 5 * minutes,
          expect: { poll: { timeout: minutes } },
        },
      },
      {
        test: {
          name: "clients",
          include: pythonClients,
          ...stacks,
          // A program in Python has one core.
          fileParallelism: true,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          exclude: [...pythonClients, ...leftOut],
          ...stacks,
        },
      },
      {
        test: {
          // In a cluster of their own, without Pulumi's provider for it: a part of npm test.
          name: "cluster",
          include: inClusterWithoutProvider,
          ...inOneCluster,
        },
      },
      {
        test: {
          // The same with the provider, which is built for as long as the cluster: npm run test:kubernetes.
          name: "kubernetes",
          include: ["tests/kubernetes/**/*.test.ts"],
          exclude: inClusterWithoutProvider,
          ...inOneCluster,
          // A cluster's own programs wait for the cores, too.
          expect: { poll: { timeout: 5 * minutes } },
          // There is one cluster at a time.
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          // Released tools, images and models, in a world with a stand-in for the internet and an engine of its own.
          name: "released",
          include: ["tests/released/**/*.test.ts"],
          ...stacks,
        },
      },
      {
        test: {
          // What npm test runs on Docker 29, the engine that users have: each file by itself, two or more at a time.
          name: "current",
          include: ["tests/e2e/**/*.test.ts"],
          exclude: [...engineMakesNoDifference, ofOlderEngines, ...leftOut],
          ...stacks,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          // What npm test runs on the machine's own engine, which may be as old as 20.10: what depends most on the
          // engine's version, and what depends on none.
          name: "compatibility",
          include: ["tests/e2e/{engine,neighbours}.test.ts", ofOlderEngines, ...engineMakesNoDifference],
          exclude: [...pythonClients, ...leftOut],
          ...stacks,
        },
      },
    ],
  },
});
