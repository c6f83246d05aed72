import type { FakeModel, LoadRequest } from "../load-process.ts";
import type { PinnedProcess } from "../pinned-process.ts";

/** A gateway or proxy between a client and Ollama. */
export interface Peer {
  readonly name: string;
  /** Whether it is this gateway, of any commit. */
  readonly isOurs: boolean;
  /** Installs its dependencies. Returns a description: version and settings. */
  prepare(): Promise<string>;
  /** @param ollamaPort the port of the fake Ollama @param folder for its files */
  start(ollamaPort: number, folder: string): Promise<PinnedProcess>;
  /** A request to it for a model of the fake Ollama. */
  request(port: number, model: FakeModel, stream: boolean): LoadRequest;
}
