import { expect } from "vitest";
import type * as z from "zod";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { health } from "../../gateway/src/admin/contract/health.ts";
import { history } from "../../gateway/src/admin/contract/history.ts";
import { overview } from "../../gateway/src/admin/contract/overview.ts";
import { cancelled, finishedRequests } from "../../gateway/src/admin/contract/requests.ts";
import { session } from "../../gateway/src/admin/contract/session.ts";
import { usage } from "../../gateway/src/admin/contract/usage.ts";
import type { TestGateway } from "./gateway-harness.ts";

/** The contracts of the admin API's read routes. */
export const adminContract = { session, overview, history, requests: finishedRequests, usage, health };

type Contract = typeof adminContract;

/** Creates two ordinary keys and one of an admin. */
export function threeKeys() {
  const [ada, bob, root] = [newKey("ada", []), newKey("bob", []), newKey("root", ["admin"])];
  return {
    ada: ada.key,
    bob: bob.key,
    root: root.key,
    API_KEYS: [ada, bob, root].map(({ line }) => line).join(";"),
  };
}

export function bearer(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** Reads a route of the admin API, and checks it against the contract. */
export async function admin<Name extends keyof Contract>(
  gateway: Pick<TestGateway, "url">,
  name: Name,
  { key, query = "" }: { readonly key?: string; readonly query?: string } = {},
): Promise<z.infer<ReturnType<Contract[Name]>>> {
  const response = await fetch(`${gateway.url}/admin/${name}${query}`, { headers: bearer(key) });
  const body: unknown = await response.json();
  expect([response.status, response.headers.get("cache-control")], JSON.stringify(body)).toEqual([
    200,
    "no-store",
  ]);
  // Rejects properties that the contract lacks.
  const parsed = adminContract[name]().strict().parse(body);
  return parsed as z.infer<ReturnType<Contract[Name]>>;
}

export async function cancel(
  gateway: Pick<TestGateway, "url">,
  id: string,
  key?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${gateway.url}/admin/requests/${id}/cancel`, {
    method: "POST",
    headers: { ...bearer(key), ...headers },
  });
}

export { cancelled };
