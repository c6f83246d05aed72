import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { rulesConfig } from "../../monitoring/prometheus-files.ts";
import type { MonitoringSettings } from "../../monitoring/settings.ts";
import { promtool } from "./promtool.ts";

/** Settings with which a condition must last two minutes before its alert fires. */
export const alertSettings: MonitoringSettings = {
  objectiveFirstTokenSeconds: 5,
  objectiveAvailability: 99.5,
  alertAfterSeconds: 120,
  scrapeSeconds: 15,
  hasGpus: false,
  ollamaMemoryBytes: 1000,
  runbooks: "docs/runbooks",
};

/** Writes files into a folder that is removed after the test. */
export function rulesFolder(files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), "alert-rules-"));
  onTestFinished(() => {
    rmSync(path, { recursive: true });
  });
  // If promtool runs in a container, its user differs.
  chmodSync(path, 0o755);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** Series in promtool's notation with a sample every 15 s, by name with labels, and the firing alerts by time. */
export interface AlertCase {
  readonly change?: Partial<MonitoringSettings>;
  readonly series: Readonly<Record<string, string>>;
  readonly firing: Readonly<Record<string, readonly string[]>>;
}

/** Fails unless exactly these alerts fire at these times. */
export async function checkAlerts({ change, series, firing }: AlertCase): Promise<void> {
  const tests = {
    rule_files: ["rules.yml"],
    evaluation_interval: "15s",
    tests: [
      {
        interval: "15s",
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: Object.entries(firing).map(([at, alerts]) => ({
          expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: at,
          exp_samples: alerts.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
        })),
      },
    ],
  };
  const path = rulesFolder({
    "rules.yml": rulesConfig({ ...alertSettings, ...change }),
    "tests.yml": stringify(tests),
  });
  const { code, output } = await promtool(["test", "rules", "tests.yml"], path);
  expect(output).toContain("SUCCESS");
  expect(code).toBe(0);
}
