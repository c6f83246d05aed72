import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../engine/connection.ts";
import { changesText, modelRecord } from "../config/models/model-record.ts";
import type { ModelChanges } from "../config/models/models.ts";

export interface OllamaModelArgs {
  /** URL of the server, as `access` reaches it. */
  readonly serverUrl: pulumi.Input<string>;
  /** How commands reach it. */
  readonly access: Connection;
  /** Name that clients use, with its tag. Another name is another resource. */
  readonly model: string;
  /**
   * What it is made from: the name itself, a reference into another registry, a GGUF file's path or URL. A change is
   * made in place: the old model answers until the new one is there.
   */
  readonly source: string;
  /** Whether the source's registry speaks plain HTTP. */
  readonly insecure: boolean;
  /** SHA-256 that the source must have: of the registry's manifest, or of the file. Changed in place. */
  readonly digest: string | undefined;
  /** Parameters, template and system prompt that differ from the source's. Changed in place. */
  readonly changes: ModelChanges;
  /** Whether the source's own name stays installed beside the model's, because it is a model of the stack too. */
  readonly keepSource: boolean;
  /** Why it must be installed again though nothing else changed: removed by hand, say. */
  readonly repair: string | undefined;
  /** Whether it stays in its volume when it is taken from the list, and when the stack is destroyed. */
  readonly retain: boolean;
  /** Seconds without a byte after which a pull is started again. Changed in place. */
  readonly stallSeconds: number;
}

/** A model that the server must have: pulled with progress, verified, deleted with the resource. */
export class OllamaModel extends pulumi.ComponentResource {
  readonly model: pulumi.Output<string>;
  /** SHA-256 of the model's manifest, as Ollama lists it. */
  readonly digest: pulumi.Output<string>;
  /** Bytes on disk. */
  readonly sizeBytes: pulumi.Output<number>;

  constructor(name: string, args: OllamaModelArgs, opts?: pulumi.ComponentResourceOptions) {
    // What was found at this moment is no argument to be kept: it would be a change the next time.
    const { repair, ...kept } = args;
    super("ollama-stack:index:OllamaModel", name, kept, opts);
    const changes = changesText(args.changes);
    const pull = new command.local.Command(
      `${name}-pull`,
      {
        create: "node components/commands/pull-model.ts",
        delete: "node components/commands/delete-model.ts",
        environment: {
          ...args.access.environment,
          OLLAMA_URL: args.serverUrl,
          MODEL: args.model,
          MODEL_SOURCE: args.source,
          MODEL_INSECURE: String(args.insecure),
          MODEL_KEEP_SOURCE: String(args.keepSource),
          PULL_STALL_SECONDS: String(args.stallSeconds),
          ...(args.digest === undefined ? {} : { MODEL_DIGEST: args.digest }),
          ...(changes === "" ? {} : { MODEL_CHANGES: changes }),
          // Another value each time, so that preview shows the change and the update installs it.
          ...(repair === undefined ? {} : { MODEL_REQUEST: `${new Date().toISOString()} ${repair}` }),
        },
        // The result is for the state; what is to be read goes to stderr.
        logging: command.types.enums.local.Logging.Stderr,
      },
      {
        parent: this,
        // The other way round, it would delete what it has just found there.
        deleteBeforeReplace: true,
        retainOnDelete: args.retain,
        // What the last repair left there is not a change.
        ignoreChanges: repair === undefined ? ["environment.MODEL_REQUEST"] : [],
      },
    );
    const result = pull.stdout.apply((text) => modelRecord.parse(JSON.parse(text)));
    this.model = result.name;
    this.digest = result.digest;
    this.sizeBytes = result.size;
    this.registerOutputs({ model: this.model, digest: this.digest, sizeBytes: this.sizeBytes });
  }
}
