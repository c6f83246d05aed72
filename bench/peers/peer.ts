import type { FakeModel, Question } from "../load-process.ts";
import type { PinnedProcess } from "../pinned.ts";

/** Something that stands between a client and Ollama. */
export interface Peer {
  readonly name: string;
  /** Installs what it needs. Returns a description: version and settings. */
  prepare(): Promise<string>;
  /** @param ollamaPort where the fake Ollama listens @param folder for what it writes */
  start(ollamaPort: number, folder: string): Promise<PinnedProcess>;
  /** A request to it for a model of the fake. */
  question(port: number, model: FakeModel, stream: boolean): Question;
}
