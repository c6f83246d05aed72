import { type Alert, runbookUrl, type Severity } from "./alert.ts";
import { errorRatio, slowRatio, type Window } from "./recording-rules.ts";
import type { MonitoringSettings } from "./settings.ts";

/**
 * How fast the error budget is used up, 1 being the complete budget in 30 days: over a long window, so that it matters, and over a
 * short one, so that it goes on. The windows and factors are those of Google's SRE workbook.
 */
const rates: readonly { long: Window; short: Window; factor: number; severity: Severity }[] = [
  { long: "1h", short: "5m", factor: 14.4, severity: "page" },
  { long: "6h", short: "30m", factor: 6, severity: "page" },
  { long: "1d", short: "2h", factor: 3, severity: "ticket" },
  { long: "3d", short: "6h", factor: 1, severity: "ticket" },
];

const objectives = [
  { name: "Availability", ratio: errorRatio, what: "fail", runbook: "errors" },
  {
    name: "FirstToken",
    ratio: slowRatio,
    what: "wait too long for their first token",
    runbook: "first-token-slow",
  },
];

/** Alerts on the objectives: one for each severity, which fires with any of its windows. */
export function burnRateAlerts(settings: MonitoringSettings): Alert[] {
  const budget = 1 - settings.objectiveAvailability / 100;
  return objectives.flatMap(({ name, ratio, what, runbook }) =>
    (["page", "ticket"] as const).map((severity): Alert => {
      const conditions = rates
        .filter((rate) => rate.severity === severity)
        .map(({ long, short, factor }) => {
          const limit = String(Number((factor * budget).toPrecision(6)));
          return `(${ratio(long)} > ${limit} and ${ratio(short)} > ${limit})`;
        });
      return {
        alert: `${name}BudgetBurning${severity === "page" ? "Fast" : "Slowly"}`,
        expr: conditions.join(" or "),
        labels: { severity },
        annotations: {
          summary: `{{ $value | humanizePercentage }} of the requests ${what}`,
          description: `At this rate, the failures that the objective of ${String(settings.objectiveAvailability)} % allows for 30 days are used up too soon.`,
          runbook_url: runbookUrl(settings, runbook),
        },
      };
    }),
  );
}
