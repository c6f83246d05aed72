import type { MonitoringSettings } from "./settings.ts";

/** An alert as Prometheus reads it. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: Severity };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

/** Whether somebody has to look at once, or on the next working day. */
export type Severity = "page" | "ticket";

/** Where an alert's runbook is. */
export function runbookUrl({ runbooks }: MonitoringSettings, name: string): string {
  return `${runbooks.replace(/\/$/, "")}/${name}.md`;
}
