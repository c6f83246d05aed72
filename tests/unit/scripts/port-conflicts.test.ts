import { expect, it } from "vitest";
import { takenPort } from "../../../scripts/update/port-conflicts.ts";

const failed = "driver failed programming external connectivity on endpoint ollama-stack-ci-1-gateway (5f0a)";

it.each([
  ["Docker 20.10, a container", `${failed}: Bind for 127.0.0.1:20010 failed: port is already allocated`],
  [
    "Docker 29, a container",
    `failed to set up container networking: ${failed}: Bind for 127.0.0.1:20010 failed: port is already allocated`,
  ],
  [
    "any program",
    `${failed}: Error starting userland proxy: listen tcp4 127.0.0.1:20010: bind: address already in use`,
  ],
  [
    "any program, at an IPv6 address",
    `${failed}: failed to bind host port [2001:db8::1]:20010/tcp: address already in use`,
  ],
  [
    "any program, without the proxy",
    `${failed}: failed to bind host port for 127.0.0.1:20010:172.19.0.2:8000/tcp: address already in use`,
  ],
])("recognizes a port in use from the engine's error: %s", (_by, error) => {
  expect(takenPort(error)).toBe("20010");
});

it("ignores other failures", () => {
  expect(takenPort("OCI runtime create failed: exec: no such file or directory")).toBeUndefined();
});
