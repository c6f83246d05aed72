import type * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { edgeArgs, read } from "../../../test-support/components/mocked-program.ts";

const { Edge } = await import("../../../components/resources/edge.ts");

it("loads its configuration again after an update that failed or was killed, also the former one", async () => {
  const options = new Map<string, pulumi.CustomResourceOptions>();
  const record: pulumi.ResourceTransformation = ({ name, opts }) => {
    options.set(name, opts);
    return undefined;
  };
  const edge = new Edge("edge", { ...edgeArgs, containerName: "x-edge" }, { transformations: [record] });
  await read(edge.url);
  // Pulumi removes a resource that it replaces from the state before the command runs.
  expect(options.get("edge-ready")).toMatchObject({
    deleteBeforeReplace: true,
    replaceOnChanges: expect.arrayContaining(["environment"]) as string[],
  });
});
