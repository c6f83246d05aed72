/** Settings of the recording rules, the alerts and the scrape configuration. */
export interface MonitoringSettings {
  /** Longest time that a client should wait for the first token, in seconds. */
  readonly objectiveFirstTokenSeconds: number;
  /** Percentage of requests that should succeed, and of those that should meet the objective above. */
  readonly objectiveAvailability: number;
  /** Seconds that a condition lasts before its alert fires. */
  readonly alertAfterSeconds: number;
  /** Seconds between two scrapes of a gateway. */
  readonly scrapeSeconds: number;
  /** Memory limit of each Ollama server, in bytes. */
  readonly ollamaMemoryBytes: number;
  /** Whether models should be in GPU memory. */
  readonly hasGpus: boolean;
  /** Prefix of a runbook's name in `runbook_url`. */
  readonly runbooks: string;
}

/** The time range of alerts as a PromQL duration: enough scrapes for a rate, and longer than `alertAfterSeconds`. */
export function alertWindow({ scrapeSeconds, alertAfterSeconds }: MonitoringSettings): string {
  return `${String(Math.ceil(Math.max(4 * scrapeSeconds, 2.5 * alertAfterSeconds)))}s`;
}
