import { expect, it } from "vitest";
import { publishes } from "../../../components/planning/ports/host-ports.ts";

const ports =
  "127.0.0.1:8000->8000/tcp, 0.0.0.0:9000-9002->9000-9002/tcp, [::]:9100->9100/tcp, 0.0.0.0:8000->53/udp";

it.each([
  ["127.0.0.1", 8000, true],
  ["0.0.0.0", 8000, true],
  // A port at another address, or of another protocol, does not conflict.
  ["10.0.0.5", 8000, false],
  ["10.0.0.5", 9001, true],
  ["10.0.0.5", 9003, false],
  ["::1", 9100, true],
])("a port at %s:%i conflicts with a published one: %s", (address, port, conflict) => {
  expect(publishes(ports, address, port)).toBe(conflict);
});
