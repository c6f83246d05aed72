/** A config key that matters only in a stack with Prometheus. */
interface MonitoringProperty {
  /** A value that differs from the test stack's. */
  readonly value: unknown;
  /** Containers that a change replaces or removes; empty if it is applied in place. */
  readonly replaced: readonly string[];
}

const inPlace: readonly string[] = [];
const prometheus = ["prometheus-container"];
const gateway = ["gateway-container"];

/** An image that the test creates. */
export const otherPrometheus = "other-monitoring/prometheus:1";

/** The keys that matter only with Prometheus. */
export const monitoringProperties: Readonly<Record<string, MonitoringProperty>> = {
  monitoring: { value: "none", replaced: [...gateway, ...prometheus] },
  prometheusImage: { value: otherPrometheus, replaced: prometheus },
  prometheusPort: { value: 18_909, replaced: prometheus },
  prometheusRetentionMiB: { value: 4096, replaced: prometheus },
  prometheusScrapeSeconds: { value: 2, replaced: inPlace },
  prometheusMemoryMiB: { value: 300, replaced: inPlace },
  prometheusCpus: { value: "1.5", replaced: prometheus },
  prometheusPids: { value: 99, replaced: inPlace },
  alertmanagers: { value: ["alertmanager:9093"], replaced: inPlace },
  alertAfterSeconds: { value: 4, replaced: inPlace },
  objectiveFirstTokenSeconds: { value: "2", replaced: gateway },
  objectiveAvailability: { value: "99", replaced: inPlace },
  runbooks: { value: "https://example.com/runbooks", replaced: inPlace },
};
