import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { namespaceLabels, stackLabel } from "../../../engine/labels.ts";
import {
  clusterNamespace,
  containerPattern,
  leftoverPattern,
  networkNameOf,
  project,
  stackNameProblem,
  stackNames,
  stackOfContainer,
} from "../../../engine/names.ts";
import {
  edgeArgs,
  gateway,
  made,
  monitoringArgs,
  read,
  server,
} from "../../../test-support/components/mocked-program.ts";

const { Monitoring } = await import("../../../components/resources/monitoring.ts");
const { Edge } = await import("../../../components/resources/edge.ts");

it.each(["-", "_", "."])(
  "a long stack name that is truncated at %s is a valid namespace and label value",
  (cut) => {
    const stack = (length: number) => `${"a".repeat(length - 1)}${cut}b`;
    expect(namespaceLabels(`organization/${project}/${stack(63)}`)).toEqual({ [stackLabel]: "a".repeat(62) });
    expect(clusterNamespace(stack(63 - `${project}-`.length), "")).toBe(`${project}-${"a".repeat(49)}`);
  },
);

it("the project has the name in Pulumi.yaml", () => {
  const { name } = parse(readFileSync("Pulumi.yaml", "utf8")) as { name: string };
  expect(project).toBe(name);
});

it.each([
  ["ollama-stack-dev-gateway", "dev"],
  ["ollama-stack-dev-2-ollama-3", "dev-2"],
  ["ollama-stack-dev-ollama-edge", "dev-ollama"],
  ["ollama-stack-my.team-prometheus", "my.team"],
  ["ollama-stack-registry", undefined],
  ["open-webui", undefined],
])("the container %s is of the stack %s", (container, stack) => {
  expect(stackOfContainer(container)).toBe(stack);
});

interface ObjectNames {
  readonly containers: string[];
  readonly others: string[];
}

/** Returns the names that the components give to the containers, volumes and the built image of a stack. */
async function namesOf(stack: string): Promise<ObjectNames> {
  const names = stackNames(stack, { networkName: "", ollamaReplicas: 2, gatewayReplicas: 2 });
  const behind = { gateways: names.gateways, edge: names.edge, timeoutSeconds: 300 };
  const before = made.length;
  await read(server(`${stack}-o`, { containerName: names.ollama, replicas: 2 }).url);
  const args = { containerName: names.gateway, replicas: 2, published: { behind } };
  await read(gateway(`${stack}-g`, args).url);
  await read(new Edge(`${stack}-e`, { ...edgeArgs, containerName: names.edge }).url);
  await read(createMonitoring(`${stack}-p`, names.prometheus).url);
  const of = (type: string) => made.slice(before).filter((each) => each.type === `docker:index/${type}`);
  const nameOf = ({ inputs }: (typeof made)[number]) => String(inputs["name"]);
  const built = of("remoteImage:RemoteImage").filter(({ inputs }) => "build" in inputs);
  return {
    containers: of("container:Container").map(nameOf),
    others: [...of("volume:Volume"), ...built].map(nameOf),
  };
}

function createMonitoring(name: string, containerName: string) {
  return new Monitoring(name, {
    ...monitoringArgs,
    containerName,
  });
}

describe("the name patterns of a stack", () => {
  it("match each of its containers and volumes and the image that it built", async () => {
    const { containers, others } = await namesOf("dev");
    expect(containers).toHaveLength(6);
    expect(others).toEqual([
      "ollama-stack-dev-ollama-models",
      "ollama-stack-dev-edge-data",
      "ollama-stack-dev-prometheus-data",
      "ollama-stack-dev-prometheus-config",
      expect.stringMatching(/^ollama-stack-dev-gateway:[0-9a-f]{16}$/),
    ]);
    for (const name of [...containers, ...others]) {
      expect(name).toMatch(leftoverPattern("dev"));
      expect(name).toMatch(leftoverPattern(undefined));
    }
    for (const name of containers) expect(name).toMatch(new RegExp(containerPattern("dev")));
  });

  it.each([
    ["dev", "dev-edge"],
    ["dev", "dev-ollama"],
    ["dev", "dev-2"],
    ["edge", "dev-edge"],
    ["my.team", "my-team"],
  ])("of %s match no object of %s", async (stack, other) => {
    const { containers, others } = await namesOf(other);
    for (const name of [...containers, ...others]) expect(name).not.toMatch(leftoverPattern(stack));
  });

  it.each(["ollama-stack-registry", "ollama-stack/ollama:0.17.4", "my-ollama-stack-dev-gateway:1", "models"])(
    "do not match %s, which no stack created",
    (name) => {
      expect(name).not.toMatch(leftoverPattern(undefined));
    },
  );
});

it("a qualified stack name has the same names as its last part", () => {
  const qualified = "organization/ollama-stack/prod";
  expect(containerPattern(qualified)).toBe(containerPattern("prod"));
  expect(leftoverPattern(qualified)).toEqual(leftoverPattern("prod"));
  expect(networkNameOf(qualified, "")).toBe(networkNameOf("prod", ""));
});

it.each(["dev", "team-2", "ci-1a2b", "a.b_c", "organization/ollama-stack/prod"])(
  "accepts a stack called %s",
  (stack) => {
    expect(stackNameProblem(stack)).toBeUndefined();
  },
);

it.each([
  ["BugsUp", "BugsUp", "bugs-up"],
  ["organization/ollama-stack/Prod", "Prod", "prod"],
  ["a..b", "a..b", "a-b"],
  ["team_", "team_", "team"],
])("rejects a stack called %s and suggests a name that Docker accepts", (stack, name, suggestion) => {
  expect(stackNameProblem(stack)).toBe(
    `The stack is called ${name}, which Docker does not accept as part of an image's name: it must consist of lower-case letters ` +
      `and digits, with single '.', '_' or '-' between them. Choose a valid name: npm run up -- --stack ${suggestion}`,
  );
  expect(stackNameProblem(suggestion)).toBeUndefined();
});
