// @ts-check
import { common, stack } from "./option-definitions.mjs";

/** @typedef {import("./option-definitions.mjs").CommandDefinition} CommandDefinition */

const yes = /** @type {const} */ ({ type: "boolean", short: "y", text: "do not ask for confirmation" });

const disconnect = /** @type {const} */ ({
  type: "boolean",
  text: "disconnect other containers from a network of the stack that must be removed",
});

/** Commands for running stacks. */
export const stackCommands = /** @satisfies {Record<string, CommandDefinition>} */ (
  /** @type {const} */ ({
    setup: { summary: "Installs the tools that the other commands need.", options: common },
    up: {
      summary: "Installs what is missing, deploys the stack and shows that it works.",
      options: {
        ...common,
        refresh: { type: "boolean", text: "read the actual state of every resource first" },
        "update-models": {
          type: "boolean",
          text: "pull models whose tags have moved in their registries",
        },
        disconnect,
      },
      passesTo: "pulumi up",
    },
    preview: {
      summary: "Describes the next update's changes, as Markdown.",
      options: common,
      passesTo: "pulumi preview",
    },
    drift: {
      summary: "Reports manual changes. Exits with 0 if there are none, with 2 if there are any.",
      options: common,
    },
    destroy: {
      summary: "Destroys the stack, including its models unless it retains them. Asks for confirmation.",
      options: {
        ...common,
        yes,
        models: {
          type: "string",
          value: "WHAT",
          choices: ["keep", "delete"],
          text: "whether to keep or delete retained models; prompts by default",
        },
        disconnect,
      },
      passesTo: "pulumi destroy",
    },
    adopt: {
      summary: "Adopts the objects of a stack that was renamed or lost its state. Asks for confirmation.",
      options: { ...common, yes },
      notes: "Removes its containers, which the next npm run up recreates; keeps the models.",
    },
    purge: {
      summary:
        "Removes what is left after the last destroy: volumes, images, cache, state. Lists it and asks for confirmation.",
      options: {
        stack: { ...stack, text: "only what this stack left on its engine or in its cluster" },
        yes,
      },
    },
    pulumi: {
      summary: "Runs Pulumi with this project's tools, state and passphrase.",
      operands: ["COMMAND [ARGUMENT...]"],
      options: common,
      passesTo: "pulumi",
      passesAll: true,
      notes: "Help for a Pulumi command: npm run pulumi -- COMMAND --help",
    },
    env: {
      summary: "Prints environment variables for running Pulumi directly in a shell.",
      options: common,
      notes: 'Use: eval "$(npm run -s env)"',
    },
    smoke: {
      summary: "Tests a deployed stack. The tests stop and start its Ollama.",
      options: common,
      passesTo: "vitest",
    },
    image: {
      summary: "Builds the gateway's image for stacks on Kubernetes.",
      options: {
        ...common,
        push: {
          type: "string",
          value: "NAME",
          text: "push it under this name, with a content hash as tag unless NAME has one; by default, the name from imageRegistry",
        },
        tag: { type: "string", value: "NAME", text: "the same without pushing it" },
        platform: {
          type: "string",
          value: "PLATFORMS",
          text: "platform of the nodes, such as linux/amd64, or linux/amd64,linux/arm64, which requires buildx; by default, the Docker engine's",
        },
      },
    },
    pin: {
      summary: "Writes the digests of a stack's images and models into its config file.",
      options: { stack: { ...stack, text: "the stack; required unless PULUMI_STACK is set" } },
    },
    forward: {
      summary:
        "Forwards a stack's services on a remote engine, or its unpublished ones, to ports of this machine.",
      options: common,
    },
    status: {
      summary: "Shows a stack's containers, loaded models, queue and recent errors.",
      options: { ...common, json: { type: "boolean", text: "print it as JSON" } },
      notes: "With API keys, the queue is shown if OLLAMA_STACK_API_KEY is a key that may read the metrics.",
    },
    usage: {
      summary: "Shows a month's usage by API key and model.",
      options: {
        ...common,
        month: {
          type: "string",
          value: "YYYY-MM",
          form: { pattern: /^\d{4}-(0[1-9]|1[0-2])$/, text: "a month such as 2026-11" },
          text: "the month in UTC; the current one by default",
        },
        format: {
          type: "string",
          value: "FORMAT",
          choices: ["table", "csv", "json"],
          text: "output format; a table by default",
        },
      },
      notes: "With gatewayUsageVolume, usage survives updates and restarts, for 14 months.",
    },
    logs: {
      summary: "Prints the logs of all containers of a stack, merged by time.",
      operands: ["[ollama|gateway|edge...]"],
      options: {
        ...common,
        follow: { type: "boolean", short: "f", text: "follow the logs until Ctrl-C" },
        tail: {
          type: "string",
          value: "LINES",
          form: { pattern: /^(\d{1,9}|all)$/, text: "a number of lines or all" },
          text: "number of lines of each container, or all; 100 by default",
        },
        since: { type: "string", value: "TIME", text: "show logs since a time, or a duration such as 10m" },
        errors: { type: "boolean", text: "errors only" },
        json: { type: "boolean", text: "print a JSON object per line" },
      },
    },
    open: {
      summary: "Opens the console of a stack in a browser.",
      options: { ...common, print: { type: "boolean", text: "only print its address" } },
    },
    doctor: {
      summary:
        "Checks this machine, its Docker engine, the network and a stack, and suggests fixes. Changes nothing.",
      options: { ...common, json: { type: "boolean", text: "print the findings as JSON" } },
      notes:
        "Exits with 1 if there is a problem. The output contains no secrets: paste it into an issue report.",
    },
    clients: {
      summary: "Prints settings that connect common clients to a running stack.",
      options: common,
    },
    client: {
      summary: "Starts a coding agent that uses a running stack.",
      operands: ["codex|claude|opencode|copilot|qwen|aider"],
      options: common,
      passesTo: "the agent",
      notes: "The agent uses the key in OLLAMA_STACK_API_KEY.",
    },
    keys: {
      summary: "Lists, adds, rotates and revokes the API keys of a stack.",
      operands: ["list", "add KEY [FIELD...]", "rotate KEY", "revoke KEY [ID]"],
      options: {
        ...common,
        grace: {
          type: "string",
          value: "TIME",
          text: "how long the old key stays valid after rotate, such as 30m, 24h or 7d; 24h by default",
        },
      },
      notes:
        "The gateways of a running stack apply a change within 2 s, without a restart. Fields: docs/keys.md.",
    },
    "new-key": {
      summary: "Prints a new API key and the line for gatewayApiKeys.",
      operands: ["KEY [FIELD...]"],
      options: {
        stdin: {
          type: "boolean",
          text: "read your own key, with 128 bits of entropy, from standard input",
        },
      },
      notes: "Fields: docs/keys.md.",
    },
    completion: {
      summary: "Prints a Bash completion script for these commands and their options.",
      options: {},
      notes:
        "In ~/.bashrc: source <(cd FOLDER && npm run -s completion). For zsh, before it: autoload -U bashcompinit && bashcompinit",
    },
  })
);
