import type { FastifyPluginCallback } from "fastify";
import fp from "fastify-plugin";

/**
 * A plugin that adds hooks to the app itself. Fastify fails at startup if its dependencies were not registered before
 * it.
 */
export function plugin(
  name: string,
  dependencies: readonly string[],
  register: () => void,
): FastifyPluginCallback {
  return fp(
    (_app, _options, done) => {
      register();
      done();
    },
    { name, dependencies: [...dependencies] },
  );
}
