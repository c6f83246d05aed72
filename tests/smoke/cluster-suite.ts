import { beforeAll, describe, expect, it } from "vitest";
import type { ClusterAddress } from "../../cluster/address.ts";
import { Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { parseKeeperState, stateFile } from "../../components/config/kubernetes/pod-models.ts";
import { isError } from "../../scripts/observe/log-line.ts";
import { readLogs } from "../../scripts/observe/merged-logs.ts";
import { podLogs } from "../../scripts/observe/pod-logs.ts";
import type { ClusterOutputs } from "../../scripts/stack/cluster-outputs.ts";
import { testGateway } from "./gateway-tests.ts";

/** A deployed stack with its gateway forwarded to this machine. */
export interface ClusterStack {
  readonly outputs: ClusterOutputs;
  readonly address: ClusterAddress;
  /** The forwarded address on this machine. */
  readonly gatewayUrl: string;
}

/** Tests for any stack deployed on Kubernetes. They stop nothing. */
export function describeClusterSmoke(deployed: () => ClusterStack): void {
  describe("smoke", () => {
    const startedAt = new Date(Date.now() - 1000).toISOString();
    let stack: ClusterStack;
    let kubectl: Kubectl;
    beforeAll(() => {
      stack = deployed();
      kubectl = new Kubectl(stack.address);
    });
    const ollamaPods = () => listPods(kubectl, "app=ollama");

    it("runs every pod ready and without running out of memory", async () => {
      await expect
        .poll(async () => (await listPods(kubectl)).filter(({ isReady }) => !isReady), { interval: 500 })
        .toEqual([]);
      const pods = await listPods(kubectl);
      expect(new Set(pods.map(({ app }) => app))).toEqual(new Set(["gateway", "ollama"]));
      expect(pods.filter(({ wasOutOfMemory }) => wasOutOfMemory)).toEqual([]);
    });

    it("has the models with the digests of the outputs in every pod", async () => {
      const models = stack.outputs.installedModels.map(({ model, digest, sizeBytes }) => ({
        name: model,
        digest,
        size: sizeBytes,
      }));
      for (const { name } of await ollamaPods()) {
        const state = parseKeeperState(await kubectl.readFile(name, "models", stateFile));
        expect(state, name).toMatchObject({ complete: true, models });
      }
    });

    it("generates through Ollama's own API in every pod", async () => {
      const model = stack.outputs.installedModels[0]?.model;
      for (const { name, node } of await ollamaPods()) {
        const response = await withForward(kubectl, `pod/${name}`, 11434, async (url) => {
          const body = { model, prompt: "The sky is", stream: false, options: { num_predict: 8 } };
          const generated = await fetch(`${url}/api/generate`, {
            method: "POST",
            body: JSON.stringify(body),
          });
          return { status: generated.status, body: await generated.json() };
        });
        expect(response, `${name} on ${node ?? ""}`).toMatchObject({
          status: 200,
          body: { done: true, response: expect.stringMatching(/\S/) as string },
        });
      }
    });

    testGateway(() => ({
      url: stack.gatewayUrl,
      models: stack.outputs.installedModels.map(({ model }) => model),
    }));

    it("logs no errors", async () => {
      const lines = await readLogs(await podLogs(kubectl), { tail: "all", since: startedAt });
      expect(lines.filter(isError)).toEqual([]);
    });
  });
}
