// @ts-check
import { common, stack } from "./option-definitions.mjs";

/** @typedef {import("./option-definitions.mjs").CommandDefinition} CommandDefinition */

const yes = /** @type {const} */ ({ type: "boolean", short: "y", text: "do not ask for confirmation" });

const disconnect = /** @type {const} */ ({
  type: "boolean",
  text: "disconnect containers of others from a network of the stack that has to go",
});

/** For those who run stacks. */
export const stackCommands = /** @satisfies {Record<string, CommandDefinition>} */ (
  /** @type {const} */ ({
    setup: { summary: "Installs what the other commands need.", options: common },
    up: {
      summary: "Sets up what is missing, brings the stack up and shows that it works.",
      options: {
        ...common,
        refresh: { type: "boolean", text: "read the actual state of every resource first" },
        "update-models": {
          type: "boolean",
          text: "pull models again whose tags have moved in their registries",
        },
        disconnect,
      },
      passesTo: "pulumi up",
    },
    preview: {
      summary: "Describes what the next update would do, as Markdown.",
      options: common,
      passesTo: "pulumi preview",
    },
    drift: {
      summary: "Reports changes made by hand. Exits with 0 if there are none, with 2 if there are any.",
      options: common,
    },
    destroy: {
      summary: "Takes the stack down, with its models unless it keeps them. Asks first.",
      options: {
        ...common,
        yes,
        models: {
          type: "string",
          value: "WHAT",
          choices: ["keep", "delete"],
          text: "what becomes of models that the stack keeps; asked if not given",
        },
        disconnect,
      },
      passesTo: "pulumi destroy",
    },
    adopt: {
      summary:
        "Takes over what the engine has of a stack whose state was lost, or which was renamed. Asks first.",
      options: { ...common, yes },
      notes:
        "Its containers are removed for the next npm run up to make them again; the models stay where they are.",
    },
    purge: {
      summary:
        "Removes what stays after the last destroy: volumes, images, cache, state. Lists it and asks first.",
      options: {
        stack: { ...stack, text: "only what this stack has left, on its engine or in its cluster" },
        yes,
      },
    },
    pulumi: {
      summary: "Runs Pulumi with this project's tools, state and passphrase.",
      operands: ["COMMAND [ARGUMENT...]"],
      options: common,
      passesTo: "pulumi",
      passesAll: true,
      notes: "Help for a command of Pulumi: npm run pulumi -- COMMAND --help",
    },
    env: {
      summary: "Prints the variables with which a shell runs Pulumi itself.",
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
          text: "push it under this name, with a hash of its content as tag unless NAME has one; by default, the name that imageRegistry gives it",
        },
        tag: { type: "string", value: "NAME", text: "the same without pushing it" },
        platform: {
          type: "string",
          value: "PLATFORMS",
          text: "what the nodes are, such as linux/amd64, or linux/amd64,linux/arm64, which takes buildx; by default, what Docker's engine is",
        },
      },
    },
    pin: {
      summary: "Writes the digests of a stack's images and models into its file.",
      options: { stack: { ...stack, text: "the stack; needed unless PULUMI_STACK names one" } },
    },
    forward: {
      summary:
        "Forwards a stack's services on a remote engine, or its unpublished ones, to ports of this machine.",
      options: common,
    },
    status: {
      summary: "Shows what of a stack runs, which models are loaded, who waits, and the last errors.",
      options: { ...common, json: { type: "boolean", text: "print it as JSON" } },
      notes: "With API keys, the queue is shown if OLLAMA_STACK_API_KEY holds one that may read the metrics.",
    },
    usage: {
      summary: "Shows what the requests of a month came to, by API key and model.",
      options: {
        ...common,
        month: { type: "string", value: "YYYY-MM", text: "the month, in UTC; this one if not given" },
        format: {
          type: "string",
          value: "FORMAT",
          choices: ["table", "csv", "json"],
          text: "how it is printed; a table if not given",
        },
      },
      notes: "With gatewayUsageVolume it is kept over updates and restarts, for 14 months.",
    },
    logs: {
      summary: "Prints the logs of all containers of a stack, merged by time.",
      operands: ["[ollama|gateway|edge...]"],
      options: {
        ...common,
        follow: { type: "boolean", short: "f", text: "go on with what comes, until Ctrl-C" },
        tail: {
          type: "string",
          value: "LINES",
          text: "how many lines of each container; 100 by default, or all",
        },
        since: { type: "string", value: "TIME", text: "from a time on, or a duration ago such as 10m" },
        errors: { type: "boolean", text: "errors only" },
        json: { type: "boolean", text: "a JSON object a line" },
      },
    },
    open: {
      summary: "Opens the console of a stack in a browser.",
      options: { ...common, print: { type: "boolean", text: "only print its address" } },
    },
    doctor: {
      summary:
        "Checks this machine, its Docker engine, the network and a stack, and says what to do. Changes nothing.",
      options: { ...common, json: { type: "boolean", text: "print the findings as JSON" } },
      notes: "Exits with 1 if there is a problem. Nothing secret is in it: paste it into an issue report.",
    },
    clients: {
      summary: "Prints the lines that connect the usual clients to a running stack.",
      options: common,
    },
    client: {
      summary: "Starts a coding agent that uses a running stack.",
      operands: ["codex", "claude", "opencode", "copilot", "qwen", "aider"],
      options: common,
      passesTo: "the agent",
      notes: "The agent's key is what OLLAMA_STACK_API_KEY holds.",
    },
    keys: {
      summary: "Lists, adds, rotates and revokes the API keys of a stack.",
      operands: ["list", "add KEY [FIELD...]", "rotate KEY", "revoke KEY [ID]"],
      options: {
        ...common,
        grace: {
          type: "string",
          value: "TIME",
          text: "how long rotate leaves the old key valid, such as 30m, 24h or 7d; 24h by default",
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
          text: "take a key of yours, with 128 bits of entropy, from standard input",
        },
      },
      notes: "Fields: docs/keys.md.",
    },
    completion: {
      summary: "Prints a script that has Bash complete these commands and their options.",
      options: {},
      notes:
        "In ~/.bashrc: source <(cd FOLDER && npm run -s completion). For zsh, before it: autoload -U bashcompinit && bashcompinit",
    },
  })
);
