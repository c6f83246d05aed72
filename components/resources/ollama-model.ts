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
  /** Names of the server's first container and its volume of models, in which the model is deleted. */
  readonly server: { readonly container: string; readonly volume: string };
  /** The name for clients, including the tag. Another name is another resource. */
  readonly model: string;
  /**
   * The name itself, a reference to another registry, or a GGUF file's path or URL. Changed in place: the old model serves
   * requests until the new one is complete.
   */
  readonly source: string;
  /** Whether the source's registry uses plain HTTP. */
  readonly insecure: boolean;
  /** Required SHA-256 of the source: of the registry's manifest, or of the file. Changed in place. */
  readonly digest: string | undefined;
  /** Parameters, template and system prompt that differ from the source's. Changed in place. */
  readonly changes: ModelChanges;
  /** Whether the source keeps its own name, because the stack also lists it as a model. */
  readonly keepSource: boolean;
  /** Why it must be reinstalled although nothing else changed, such as a manual removal. */
  readonly repair: string | undefined;
  /** Whether it stays in its volume when it is removed from the list or the stack is destroyed. */
  readonly retain: boolean;
  /** Seconds without a byte after which a pull is restarted. Changed in place. */
  readonly stallSeconds: number;
}

/** A model on the server: pulled with progress, verified, and deleted with the resource. */
export class OllamaModel extends pulumi.ComponentResource {
  readonly model: pulumi.Output<string>;
  /** SHA-256 of the model's manifest, as Ollama lists it. */
  readonly digest: pulumi.Output<string>;
  /** Bytes on disk. */
  readonly sizeBytes: pulumi.Output<number>;

  constructor(name: string, args: OllamaModelArgs, opts?: pulumi.ComponentResourceOptions) {
    // Not an input to store in the state, where it would be a change at the next update.
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
          OLLAMA_CONTAINER: args.server.container,
          OLLAMA_VOLUME: args.server.volume,
          MODEL: args.model,
          MODEL_SOURCE: args.source,
          MODEL_INSECURE: String(args.insecure),
          MODEL_KEEP_SOURCE: String(args.keepSource),
          PULL_STALL_SECONDS: String(args.stallSeconds),
          ...(args.digest === undefined ? {} : { MODEL_DIGEST: args.digest }),
          ...(changes === "" ? {} : { MODEL_CHANGES: changes }),
          // A unique value, so that preview shows a change and the update installs the model.
          ...(repair === undefined ? {} : { MODEL_REQUEST: `${new Date().toISOString()} ${repair}` }),
        },
        // stdout is the result for the state; messages go to stderr.
        logging: command.types.enums.local.Logging.Stderr,
      },
      {
        parent: this,
        // Otherwise the deletion would remove the new model.
        deleteBeforeReplace: true,
        retainOnDelete: args.retain,
        // A former repair's value is not a change.
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
