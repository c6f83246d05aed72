import type { ModelChanges } from "../../config/models/models.ts";

/** The desired state of a model. */
export interface DesiredModel {
  readonly name: string;
  /** A reference to a registry (often the name itself), or a GGUF file. */
  readonly source: string;
  readonly insecure: boolean;
  /** Required SHA-256 of the source: of the registry's manifest, or of the file. */
  readonly digest: string | undefined;
  /** Overrides of its source; empty for an unchanged model. */
  readonly changes: ModelChanges;
  /** Whether the source keeps its own name, because the config lists it too. */
  readonly keepSource: boolean;
  /** A unique request to reinstall it although nothing else changed. */
  readonly request: string | undefined;
}

/** The parts of the message about a full disk. */
export interface DiskFullMessage {
  /** Which disk is full. */
  readonly problem: string;
  /** How to free or add space. */
  readonly remedy: string;
}

export interface InstallOptions {
  readonly stallSeconds: number;
  readonly diskFull: DiskFullMessage;
  readonly log: (line: string) => void;
}
