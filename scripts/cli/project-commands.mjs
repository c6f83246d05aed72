// @ts-check
import { common } from "./option-definitions.mjs";

/** @typedef {import("./option-definitions.mjs").CommandDefinition} CommandDefinition */

/** For those who work on the project. */
export const projectCommands = /** @satisfies {Record<string, CommandDefinition>} */ (
  /** @type {const} */ ({
    docs: { summary: "Writes the generated tables in docs/.", options: {} },
    test: {
      summary: "Runs all tests, with stacks of their own. CONTRIBUTING.md says on which engines.",
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
          text: "the Ollama program; by default the one that was built here, or the one on the path",
        },
      },
      notes: "Needs no Docker. Exits with 1 if something works with Ollama and not through the gateway.",
    },
    bench: {
      summary:
        "Measures the gateway beside its peers, its image, a deployment beside Docker Compose, or scheduling for 1,000 servers.",
      operands: ["[gateway|image|deployment|scale]"],
      options: {
        quick: {
          type: "boolean",
          text: "gateway: this gateway alone, one short round, half a minute; scale: 50 servers",
        },
        only: { type: "string", value: "PEERS", text: "gateway: some peers, such as ours,nginx" },
        before: {
          type: "string",
          value: "COMMIT",
          text: "gateway: beside this gateway as it was at another commit",
        },
        rounds: {
          type: "string",
          value: "NUMBER",
          text: "how often; by default 3, with --quick once, for the image 5",
        },
        seconds: {
          type: "string",
          value: "SECONDS",
          text: "gateway: how long each load lasts; 3 by default, with --quick 2",
        },
        seed: {
          type: "string",
          value: "NUMBER",
          text: "scale: the random choices of another run; 1 by default",
        },
        write: {
          type: "boolean",
          text: "write the result to bench/RESULTS.md, for scale to bench/scale/RESULTS.md",
        },
      },
      notes: "bench/README.md says how it is measured, and what the numbers mean.",
    },
    attack: {
      summary:
        "Attacks two stacks of its own on loopback while an innocent client uses each, and takes them down again.",
      options: {
        minutes: {
          type: "string",
          value: "NUMBER",
          text: "start rounds of scenarios for so long; 20 by default. Each scenario runs once at least",
        },
        only: {
          type: "string",
          value: "SECTIONS",
          text: "run the scenarios of some sections, such as 3 or 1,2",
        },
        seed: { type: "string", value: "NUMBER", text: "repeat the random choices of an earlier run" },
        write: { type: "boolean", text: "write the report to attack/RESULTS.md" },
      },
      notes: "Exits with 1 if a scenario failed or a container restarted.",
    },
    "test-kubernetes": {
      summary: "Runs the tests that need a Kubernetes, in a cluster that they make on this machine.",
      script: "test:kubernetes",
      operands: ["[FILE...]"],
      options: {},
      passesTo: "vitest",
      notes:
        "Needs root on Linux. Builds Kubernetes from its modules the first time: see toolchain/README.md.",
    },
    "test-stress": {
      summary: "Runs test files many times in a row beside busy processes, until one fails.",
      script: "test:stress",
      operands: ["FILE..."],
      options: {
        times: { type: "string", value: "NUMBER", text: "how often; 20 by default" },
        busy: { type: "string", value: "NUMBER", text: "how many busy processes; 4 by default" },
      },
      passesTo: "vitest",
    },
  })
);
