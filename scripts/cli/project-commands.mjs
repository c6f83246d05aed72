// @ts-check
import { common } from "./option-definitions.mjs";

/** @typedef {import("./option-definitions.mjs").CommandDefinition} CommandDefinition */

/** Commands for developing the project. */
export const projectCommands = /** @satisfies {Record<string, CommandDefinition>} */ (
  /** @type {const} */ ({
    docs: {
      summary:
        "Writes the generated parts of docs/, such as tables and room graphs, and monitoring/dashboard.json.",
      options: {},
    },
    test: {
      summary: "Runs all tests, on their own stacks. See CONTRIBUTING.md for the engines.",
      operands: ["[FILE...]"],
      options: common,
      passesTo: "vitest",
    },
    compat: {
      summary: "Runs the usual clients against Ollama itself and against the gateway, and compares.",
      options: {
        only: { type: "string", value: "NAME", text: "only the clients with NAME in their names" },
        write: { type: "boolean", text: "write docs/compatibility.md" },
        ollama: {
          type: "string",
          value: "FILE",
          text: "the Ollama program; by default the one built here, or the one on the PATH",
        },
      },
      notes: "Needs no Docker. Exits with 1 if something works with Ollama but not through the gateway.",
    },
    bench: {
      summary:
        "Benchmarks the gateway against its peers or an earlier commit, its image, a deployment against Docker Compose, or scheduling for 1,000 servers.",
      operands: ["[gateway|regression|image|deployment|scale]"],
      options: {
        quick: {
          type: "boolean",
          text: "gateway: this gateway alone, one short round, half a minute; scale: 50 servers",
        },
        only: { type: "string", value: "PEERS", text: "gateway: some peers, such as ours,nginx" },
        before: {
          type: "string",
          value: "COMMIT",
          text: "gateway, regression: compare with this gateway at another commit",
        },
        rounds: {
          type: "string",
          value: "NUMBER",
          text: "number of runs; by default 3, with --quick 1, for the image 5; regression: windows of load, 20",
        },
        seconds: {
          type: "string",
          value: "SECONDS",
          text: "gateway: duration of each load; 3 by default, with --quick 2, for regression 0.2",
        },
        seed: {
          type: "string",
          value: "NUMBER",
          text: "scale: seed of the random choices; 1 by default",
        },
        write: {
          type: "boolean",
          text: "write the result to bench/RESULTS.md, for scale to bench/scale/RESULTS.md",
        },
      },
      notes: "bench/README.md explains the method and the numbers.",
    },
    attack: {
      summary:
        "Deploys two stacks on loopback, attacks them while an innocent client uses each, and destroys them.",
      options: {
        minutes: {
          type: "string",
          value: "NUMBER",
          text: "duration; 20 by default. Each scenario runs at least once",
        },
        only: {
          type: "string",
          value: "SECTIONS",
          text: "run only the scenarios of these sections, such as 3 or 1,2",
        },
        seed: { type: "string", value: "NUMBER", text: "repeat the random choices of an earlier run" },
        write: { type: "boolean", text: "write the report to attack/RESULTS.md" },
      },
      notes: "Exits with 1 if a scenario failed or a container restarted.",
    },
    "test-kubernetes": {
      summary: "Runs the tests that need Kubernetes, in a cluster that they create on this machine.",
      script: "test:kubernetes",
      operands: ["[FILE...]"],
      options: {},
      passesTo: "vitest",
      notes:
        "Needs root on Linux. Builds Kubernetes from its modules the first time: see toolchain/README.md.",
    },
    "test-stress": {
      summary: "Runs test files repeatedly next to busy processes, until one fails.",
      script: "test:stress",
      operands: ["FILE..."],
      options: {
        times: { type: "string", value: "NUMBER", text: "how often; 20 by default" },
        busy: { type: "string", value: "NUMBER", text: "number of busy processes; 4 by default" },
      },
      passesTo: "vitest",
    },
  })
);
