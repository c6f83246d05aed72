import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Target } from "./target.ts";

/** Opens an HTTP/2 connection, runs `work` with it, and always closes it. Ignores connection errors. */
export async function withHttp2<T>(
  target: Target,
  work: (session: ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const { ca } = target.deployment;
  const session = connect(target.url, ca === undefined ? {} : { ca });
  session.on("error", () => undefined);
  try {
    return await work(session);
  } finally {
    session.destroy();
  }
}

/** A POST on its own stream; the scenario writes the body. */
export interface Http2Post {
  readonly stream: ClientHttp2Stream;
  status: number;
  isClosed: boolean;
}

export function post(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string | number>>,
): Http2Post | undefined {
  if (session.destroyed || session.closed) return undefined;
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  const sent: Http2Post = { stream, status: 0, isClosed: false };
  stream.on("error", () => undefined);
  stream.on("response", ({ ":status": status }) => {
    sent.status = status ?? 0;
  });
  stream.resume().once("close", () => {
    sent.isClosed = true;
  });
  return sent;
}
