import { stringify } from "yaml";
import { alerts } from "./alerts.ts";
import { recordingRules } from "./recording-rules.ts";
import type { MonitoringSettings } from "./settings.ts";

/** The folder of Prometheus' configuration in its container. */
export const configFolder = "/etc/ollama-stack";
export const configFile = "prometheus.yml";
export const rulesFile = "rules.yml";
/** The file with the key for reading the gateways' metrics. */
export const metricsKeyFile = "metrics-key";

export interface ScrapeSettings extends MonitoringSettings {
  /** host:port of each gateway in the stack's network. */
  readonly gateways: readonly string[];
  /** host:port of Prometheus itself. */
  readonly self: string;
  /** host:port of Alertmanagers that are sent the alerts. */
  readonly alertmanagers: readonly string[];
}

/** Scraping, alerting and the rules, as Prometheus reads them. */
export function prometheusConfig(settings: ScrapeSettings): string {
  const { gateways, self, alertmanagers, scrapeSeconds } = settings;
  const interval = `${String(scrapeSeconds)}s`;
  return stringify({
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: [rulesFile],
    scrape_configs: [
      {
        job_name: "gateway",
        authorization: { credentials_file: metricsKeyFile },
        static_configs: [{ targets: [...gateways] }],
      },
      { job_name: "prometheus", static_configs: [{ targets: [self] }] },
    ],
    ...(alertmanagers.length === 0
      ? {}
      : { alerting: { alertmanagers: [{ static_configs: [{ targets: [...alertmanagers] }] }] } }),
  });
}

export function rulesConfig(settings: MonitoringSettings): string {
  return stringify(
    {
      groups: [
        { name: "ollama-stack-ratios", rules: recordingRules(settings) },
        { name: "ollama-stack-alerts", rules: alerts(settings) },
      ],
    },
    { lineWidth: 0 },
  );
}
