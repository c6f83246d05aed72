/** A config key that matters only in a stack with Prometheus. */
interface MonitoringProperty {
  /** A value that differs from the test stack's. */
  readonly value: unknown;
  /** Containers that a change replaces or removes; empty if it is applied in place. */
  readonly replaced: readonly string[];
  /** The changed properties for which the containers are replaced, if other keys replace the same ones. */
  readonly changes?: readonly string[];
  /** Matches the new inputs of changed resources, but not their former ones, if the change is applied in place. */
  readonly applied?: RegExp;
}

const inPlace: readonly string[] = [];
const prometheus = ["prometheus-container"];
const gateway = ["gateway-container"];

/** An image that the test creates. */
export const otherPrometheus = "other-monitoring/prometheus:1";

/** The keys that matter only with Prometheus. */
export const monitoringProperties: Readonly<Record<string, MonitoringProperty>> = {
  monitoring: { value: "none", replaced: [...gateway, ...prometheus] },
  prometheusImage: {
    value: otherPrometheus,
    replaced: prometheus,
    changes: ["prometheus-image name", "prometheus-container image"],
  },
  prometheusPort: { value: 18_909, replaced: prometheus, changes: ["prometheus-container ports.external"] },
  prometheusRetentionMiB: { value: 4096, replaced: prometheus, changes: ["prometheus-container command"] },
  prometheusScrapeSeconds: { value: 2, replaced: inPlace, applied: /scrape_interval: 2s/ },
  prometheusMemoryMiB: { value: 300, replaced: inPlace, applied: /"memory":300\b/ },
  prometheusCpus: {
    value: "1.5",
    replaced: prometheus,
    changes: ["prometheus-container cpuPeriod", "prometheus-container cpuQuota"],
  },
  prometheusPids: { value: 99, replaced: inPlace, applied: /"PIDS_LIMIT":"99"/ },
  alertmanagers: { value: ["alertmanager:9093"], replaced: inPlace, applied: /alertmanager:9093/ },
  alertAfterSeconds: { value: 4, replaced: inPlace, applied: /for: 4s/ },
  objectiveFirstTokenSeconds: { value: "2", replaced: gateway },
  objectiveAvailability: { value: "99", replaced: inPlace, applied: /the objective of 99 %/ },
  runbooks: {
    value: "https://example.com/runbooks",
    replaced: inPlace,
    applied: /https:\/\/example\.com\/runbooks/,
  },
};
