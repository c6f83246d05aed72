import { apiKey, rejectKey } from "../session/key.ts";

/** The gateway's URL: one level above the console. */
export const gatewayUrl = new URL("..", document.baseURI);

/** A failed request, with a message for the user. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string | undefined;
  readonly requestId: string | undefined;

  constructor(message: string, status: number, code?: string, requestId?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/**
 * Sends a request to the gateway with the user's key.
 *
 * @param path without a leading slash
 * @throws RequestError if there is no response, or its status is not 2xx
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = apiKey.value;
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(new URL(path, gatewayUrl), {
      ...init,
      headers,
      credentials: "omit",
      redirect: "error",
    });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new RequestError("The gateway cannot be reached. Check that it runs and try again.", 0);
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (response.status === 401) rejectKey(key, failure.message);
  throw failure;
}

export async function requestJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await (await request(path, init)).json()) as T;
}

async function failureOf(response: Response): Promise<RequestError> {
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const body: unknown = await response.json().catch(() => undefined);
  const { message, code } = errorIn(body);
  return new RequestError(
    message ?? `The gateway responded with status ${String(response.status)}.`,
    response.status,
    code,
    requestId,
  );
}

/** Extracts an error in OpenAI's format from a body or a stream event. */
function errorIn(body: unknown): { message?: string; code?: string } {
  if (typeof body !== "object" || body === null || !("error" in body)) return {};
  const { error } = body;
  if (typeof error !== "object" || error === null) return {};
  const { message, code } = error as { message?: unknown; code?: unknown };
  return {
    ...(typeof message === "string" ? { message } : {}),
    ...(typeof code === "string" ? { code } : {}),
  };
}

/** Describes an error in one or two sentences. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
