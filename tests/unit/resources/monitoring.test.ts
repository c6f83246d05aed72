import { existsSync, readdirSync } from "node:fs";
import { parse } from "yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { alerts } from "../../../monitoring/alerts.ts";
import { find, gateway, monitoringArgs, read } from "../../../test-support/components/mocked-program.ts";

const { Monitoring } = await import("../../../components/resources/monitoring.ts");

interface Files {
  readonly "prometheus.yml": string;
  readonly "rules.yml": string;
  readonly "metrics-key": string;
}

describe("Prometheus", () => {
  beforeAll(async () => {
    await read(new Monitoring("mon", { ...monitoringArgs, containerName: "x-mon" }).url);
  });

  it("runs without privileges, with only its data writable and its port on loopback", () => {
    expect(find("mon-container")).toMatchObject({
      user: "65534:65534",
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges"],
      memory: 512,
      memorySwap: 512,
      ports: [{ internal: 9090, external: 9090, ip: "127.0.0.1" }],
      mounts: [
        { type: "volume", source: "x-mon-data", target: "/prometheus" },
        { type: "volume", source: "x-mon-config", target: "/etc/ollama-stack", readOnly: true },
      ],
    });
    expect(find("mon-container")["command"]).toContain("--storage.tsdb.retention.size=256MB");
  });

  it("scrapes each gateway, with a key that is in no argument or environment", () => {
    const { stdin, environment } = find("mon-files");
    const files = JSON.parse((stdin as { value: string }).value) as Files;
    const config = parse(files["prometheus.yml"]) as { scrape_configs: unknown[] };
    expect(config.scrape_configs).toEqual([
      {
        job_name: "gateway",
        authorization: { credentials_file: "metrics-key" },
        static_configs: [{ targets: ["gateway:8000", "gateway-2:8000"] }],
      },
      { job_name: "prometheus", static_configs: [{ targets: ["prometheus:9090"] }] },
    ]);
    expect(files["metrics-key"]).toBe("the key");
    expect(JSON.stringify([environment, find("mon-container"), find("mon")])).not.toContain("the key");
  });
});

it("a gateway gets the key's digest, the objective and the edge's certificate", async () => {
  await read(
    gateway("measured", {
      metricsKeyDigest: "ab12",
      objectiveFirstTokenSeconds: 2.5,
      watchedCertificate: "edge:443/llm.example.org",
    }).url,
  );
  expect(find("measured-container")["envs"]).toEqual(
    expect.arrayContaining([
      "METRICS_KEY_DIGEST=ab12",
      "OBJECTIVE_FIRST_TOKEN_MS=2500",
      "WATCHED_CERTIFICATE=edge:443/llm.example.org",
    ]),
  );
});

describe("alerts and runbooks", () => {
  const all = alerts(monitoringArgs);

  it.each(all)("$alert has a runbook", ({ alert, annotations }) => {
    const name = annotations.runbook_url.replace("https://example.org/runbooks/", "");
    expect(existsSync(`docs/runbooks/${name}`)).toBe(true);
    expect(alert).toMatch(/^[A-Z]\w+$/);
  });

  it("every runbook belongs to an alert", () => {
    const used = new Set(all.map(({ annotations }) => annotations.runbook_url.split("/").at(-1)));
    expect(readdirSync("docs/runbooks").filter((file) => !used.has(file))).toEqual([]);
  });
});
