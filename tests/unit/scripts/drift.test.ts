import { afterAll, describe, expect, it } from "vitest";
import { sha256 } from "../../../engine/volume-file.ts";
import { parseDeployment } from "../../../scripts/stack/deployment.ts";
import { compareNetwork, compareVolume } from "../../../scripts/drift/network-and-volume.ts";
import { comparePrometheusFiles } from "../../../scripts/drift/prometheus-files.ts";
import { report } from "../../../scripts/drift/report.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const unprotected = { protect: false, retain: false };

describe("a network", () => {
  const network = {
    urn: "u",
    name: "bridge",
    type: "t",
    id: "n1",
    inputs: { name: "net" },
    outputs: {},
    ...unprotected,
  };
  const actual = {
    Id: "n1",
    Name: "net",
    Driver: "bridge",
    Internal: false,
    Attachable: false,
    EnableIPv6: false,
    Options: {},
    Labels: {},
    Containers: {},
  };
  it.each([
    ["driver", { Driver: "macvlan" }],
    ["internal", { Internal: true }],
    ["attachable", { Attachable: true }],
    ["IPv6", { EnableIPv6: true }],
    ["options", { Options: { mtu: "9000" } }],
    ["labels", { Labels: { owner: "me" } }],
  ])("shows a changed %s", (property, change) => {
    expect(compareNetwork(network, [actual], new Set())).toEqual([]);
    const differences = compareNetwork(network, [{ ...actual, ...change }], new Set());
    expect(differences.map((each) => [each.property, each.repair])).toEqual([[property, "replace"]]);
  });

  it("is removed after the stack's containers are disconnected if it was made by hand", () => {
    const Containers = { a: { Name: "x-gateway" }, b: { Name: "stranger" } };
    const [difference] = compareNetwork(
      network,
      [{ ...actual, Id: "n2", Containers }],
      new Set(["x-gateway"]),
    );
    expect(difference?.repair).toEqual([
      ["network", "disconnect", "--force", "n2", "x-gateway"],
      ["network", "rm", "n2"],
    ]);
  });
});

it("ignores the stack's own labels on networks and volumes, which another version or state may have set", () => {
  const labels = [{ label: "ollama-stack.version", value: "0.1.0" }];
  const resource = {
    urn: "u",
    name: "x",
    type: "t",
    id: "x",
    inputs: { name: "x", labels },
    outputs: {},
    ...unprotected,
  };
  const volume = { Name: "x", Driver: "local", Options: null };
  for (const Labels of [null, {}, { "ollama-stack.version": "0.0.9", "ollama-stack.stack": "former" }])
    expect(compareVolume(resource, { ...volume, Labels }, "")).toEqual([]);
  const [difference] = compareVolume(resource, { ...volume, Labels: { owner: "me" } }, "");
  expect([difference?.expected, difference?.actual]).toEqual(["none", "owner=me"]);
});

describe("a volume", () => {
  const volume = {
    urn: "u",
    name: "models",
    type: "t",
    id: "v",
    inputs: { name: "v" },
    outputs: {},
    ...unprotected,
  };
  const actual = { Name: "v", Driver: "local", Options: null, Labels: null };
  it.each([
    ["driver", { Driver: "nfs" }],
    ["options", { Options: { type: "nfs" } }],
    ["labels", { Labels: { owner: "me" } }],
  ])("shows a changed %s and leaves the repair to the user", (property, change) => {
    expect(compareVolume(volume, actual, "")).toEqual([]);
    const differences = compareVolume(volume, { ...actual, ...change }, " -- --stack far");
    expect(differences).toMatchObject([
      {
        property,
        repair: { byHand: expect.stringMatching(/docker volume rm v; npm run up -- --stack far$/) as string },
      },
    ]);
  });
});

describe("Prometheus' files", () => {
  const docker = new FakeDocker();
  afterAll(() => {
    docker.remove();
  });
  const files = { "prometheus.yml": "a: 1\n", "rules.yml": "", "metrics-key": "planted-key" };
  const hashes = Object.values(files).map(sha256);
  const command = {
    urn: "u",
    name: "prometheus-files",
    type: "command:local:Command",
    id: "files",
    inputs: {
      environment: { MONITORING_VOLUME: "x-prometheus-config", MONITORING_IMAGE: "node" },
      stdin: JSON.stringify(files),
    },
    outputs: {},
    ...unprotected,
  };
  const compare = (volumes: readonly string[]) => comparePrometheusFiles([command], new Set(volumes));

  it("are compared by hash, in one run", async () => {
    docker.mock({ run: hashes.join("\n") });
    expect(await compare(["x-prometheus-config"])).toEqual([]);
    expect(docker.calls.filter((call) => call.startsWith("run "))).toHaveLength(1);
  });

  it.each([
    ["changed", [sha256("other"), ...hashes.slice(1)], "others (not shown)"],
    ["partly missing", [hashes[0], "", hashes[2]], "others (not shown)"],
    ["missing because an update created the volume again", ["", "", ""], "none"],
  ])("are written again if they are %s", async (_what, found, actual) => {
    docker.mock({ run: found.join("\n") });
    expect(await compare(["x-prometheus-config"])).toMatchObject([
      { urn: "u", property: "files", expected: "as deployed (not shown)", actual, repair: "replace" },
    ]);
  });

  it("are written again if their volume was removed, without creating that for the comparison", async () => {
    docker.mock({});
    expect(await compare([])).toMatchObject([{ actual: "none", repair: "replace" }]);
    expect(docker.calls).toEqual([]);
  });
});

describe("the state", () => {
  const mark = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };
  const text = JSON.stringify({
    deployment: {
      resources: [
        {
          urn: "urn:pulumi:s::p::docker:index/container:Container::gateway-container",
          type: "docker:index/container:Container",
          id: "c1",
          inputs: {
            envs: { ...mark, plaintext: '["HEADER=planted-for-this-test"]' },
            labels: [{ ...mark, plaintext: '"hidden-from-everybody"' }],
          },
          // The provider encrypts the entire list because of one entry.
          outputs: {
            envs: { ...mark, plaintext: '["HEADER=planted-for-this-test","OLLAMA_NUM_PARALLEL=1"]' },
          },
        },
        { urn: "old", type: "t", delete: true },
      ],
    },
  });

  it("is read with its secrets, without resources that are pending deletion", () => {
    const { resources, secrets } = parseDeployment(text);
    expect(resources.map(({ name, inputs: values }) => [name, values])).toEqual([
      ["gateway-container", { envs: ["HEADER=planted-for-this-test"], labels: ["hidden-from-everybody"] }],
    ]);
    expect([...secrets]).toEqual([
      "HEADER=planted-for-this-test",
      "planted-for-this-test",
      "hidden-from-everybody",
    ]);
  });

  it("keeps its secrets out of the report", () => {
    const difference = {
      urn: "u",
      resource: "r",
      property: "label a",
      expected: "hidden-from-everybody",
      actual: "x",
      repair: "refresh",
    };
    const drift = { differences: [difference as never], compared: 1 };
    const shown = report("dev", drift, parseDeployment(text));
    expect(shown).toContain("expected [secret]");
    expect(shown).not.toContain("hidden-from-everybody");
  });
});
