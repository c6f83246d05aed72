import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

export interface OllamaModelArgs {
  /** URL of the server, seen from where Pulumi runs. */
  readonly serverUrl: pulumi.Input<string>;
  /** Name that clients use, with its tag. Another name is another resource. */
  readonly model: string;
  /** Where it is pulled from when that is not Ollama's registry. A change deletes the model and pulls the other. */
  readonly source: string;
  /** Whether that registry speaks plain HTTP. */
  readonly insecure: boolean;
  /** Whether the source's own name stays installed beside the model's, because it is a model of the stack too. */
  readonly keepSource: boolean;
  /** Whether the running server was found not to have it, so that it must be pulled though nothing else changed. */
  readonly missing: boolean;
  /** Whether it stays, with its volume, when the stack is destroyed. Then it also stays when it is taken from the list. */
  readonly retain: boolean;
  /** Seconds without a byte after which a pull is started again. Changed in place. */
  readonly stallSeconds: number;
}

const pulled = z.object({ name: z.string(), digest: z.string(), size: z.number() });

/** A model that the server must have: pulled with progress, verified, deleted with the resource. */
export class OllamaModel extends pulumi.ComponentResource {
  readonly model: pulumi.Output<string>;
  /** SHA-256 of the model's manifest, as Ollama lists it. */
  readonly digest: pulumi.Output<string>;
  /** Bytes on disk. */
  readonly sizeBytes: pulumi.Output<number>;

  constructor(name: string, args: OllamaModelArgs, opts?: pulumi.ComponentResourceOptions) {
    // What was found at this moment is no argument to be kept: it would be a change the next time.
    const { missing, ...kept } = args;
    super("ollama-stack:index:OllamaModel", name, kept, opts);
    const pull = new command.local.Command(
      `${name}-pull`,
      {
        create: "node components/commands/pull-model.ts",
        delete: "node components/commands/delete-model.ts",
        environment: {
          OLLAMA_URL: args.serverUrl,
          MODEL: args.model,
          MODEL_SOURCE: args.source,
          MODEL_INSECURE: String(args.insecure),
          MODEL_KEEP_SOURCE: String(args.keepSource),
          PULL_STALL_SECONDS: String(args.stallSeconds),
          // Another value each time, so that preview shows the change and the update pulls.
          ...(missing ? { MODEL_MISSING_AT: new Date().toISOString() } : {}),
        },
        // Another source is another model under the same name: the old one goes first, or it would be found there.
        triggers: [args.source],
        // What it printed last time would reach the next run's environment, for nothing.
        addPreviousOutputInEnv: false,
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        retainOnDelete: args.retain,
        // What the last repair left there is not a change.
        ignoreChanges: missing ? [] : ["environment.MODEL_MISSING_AT"],
      },
    );
    const result = pull.stdout.apply((text) => pulled.parse(JSON.parse(text)));
    this.model = result.name;
    this.digest = result.digest;
    this.sizeBytes = result.size;
    this.registerOutputs({ model: this.model, digest: this.digest, sizeBytes: this.sizeBytes });
  }
}
