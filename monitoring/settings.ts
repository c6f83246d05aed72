/** What the rules, the alerts and the scraping follow from. */
export interface MonitoringSettings {
  /** How long a client should wait for the first token at most, seconds. */
  readonly objectiveFirstTokenSeconds: number;
  /** Share of requests that should succeed, and of those that should meet the objective above, percent. */
  readonly objectiveAvailability: number;
  /** How long a condition lasts before its alert fires, seconds. */
  readonly alertAfterSeconds: number;
  /** How often a gateway is scraped, seconds. */
  readonly scrapeSeconds: number;
  /** Memory limit of each Ollama server, bytes. */
  readonly ollamaMemoryBytes: number;
  /** Whether models are to be in the memory of GPUs. */
  readonly hasGpus: boolean;
  /** What stands before the name of a runbook in `runbook_url`. */
  readonly runbooks: string;
}

/** The span that alerts look back at, as PromQL writes it: enough scrapes for a rate, and longer than they wait. */
export function alertWindow({ scrapeSeconds, alertAfterSeconds }: MonitoringSettings): string {
  return `${String(Math.ceil(Math.max(4 * scrapeSeconds, 2.5 * alertAfterSeconds)))}s`;
}
