import type { ModelChanges } from "../../config/models/models.ts";

/** A model as it has to be. */
export interface WantedModel {
  /** Name that it gets. */
  readonly name: string;
  /** What it is made from: a reference into a registry (often the name itself), or a GGUF file. */
  readonly source: string;
  readonly insecure: boolean;
  /** SHA-256 that the source must have: of the registry's manifest, or of the file. */
  readonly digest: string | undefined;
  /** What is changed of it; nothing means that it stays as its source has it. */
  readonly changes: ModelChanges;
  /** Whether the source's own name stays beside the model's, because the config lists it too. */
  readonly keepSource: boolean;
  /** A request, different each time, to install it again although nothing else changed. */
  readonly request: string | undefined;
}

export interface InstallOptions {
  readonly stallSeconds: number;
  readonly say: (line: string) => void;
}
