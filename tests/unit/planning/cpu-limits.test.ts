import { expect, it } from "vitest";
import { applicableCpuLimits } from "../../../components/planning/cpu-limits.ts";

const config = { ollamaCpus: "", gatewayCpus: "1", edgeCpus: "0.5", prometheusCpus: "" };
const none = { ollamaCpus: "", gatewayCpus: "", edgeCpus: "", prometheusCpus: "" };

it.each([{ CpuCfsPeriod: true, CpuCfsQuota: true }, {}])(
  "keeps CPU limits on an engine that reports %j",
  (engine) => {
    expect(applicableCpuLimits(config, engine)).toEqual({ limits: config });
  },
);

it.each([
  { CpuCfsPeriod: true, CpuCfsQuota: false },
  { CpuCfsPeriod: false, CpuCfsQuota: false },
])("removes CPU limits with a warning on an engine that reports %j", (engine) => {
  expect(applicableCpuLimits(config, engine)).toEqual({
    limits: none,
    warning: expect.stringMatching(
      /^The engine cannot limit CPUs .*so gatewayCpus and edgeCpus have no effect\. .*delegate the cpu controller/,
    ) as string,
  });
  expect(applicableCpuLimits(none, engine)).toEqual({ limits: none });
});
