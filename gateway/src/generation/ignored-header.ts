import type { FastifyReply, FastifyRequest } from "fastify";
import { IGNORED_PARAMETERS_HEADER, ignoredHeader } from "../apis/common/ignored-headers.ts";

/** Lists the parameters ignored so far in a response header. */
export function setIgnoredHeader(reply: FastifyReply, { ignoredParameters }: FastifyRequest["record"]): void {
  if (ignoredParameters === undefined) return;
  void reply.header(IGNORED_PARAMETERS_HEADER, ignoredHeader(ignoredParameters));
}
