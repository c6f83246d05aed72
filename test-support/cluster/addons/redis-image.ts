import { execFileSync } from "node:child_process";
import { basename, join } from "node:path";
import { redisProgram } from "../../redis/redis-server.ts";
import { type ImageFile, programImage } from "../images.ts";

/** Writes an archive with an image that starts Redis with a configuration file as argument, like the official one. */
export async function redisImage(folder: string, reference: string): Promise<string> {
  const { path, env } = await redisProgram();
  return programImage(folder, reference, path, librariesOf(path, env));
}

/** The libraries of a program, in a folder that the loader searches, and the loader at its own path. */
function librariesOf(program: string, env: NodeJS.ProcessEnv): ImageFile[] {
  const text = execFileSync("ldd", [program], { encoding: "utf8", env: { ...process.env, ...env } });
  const libraries = [...text.matchAll(/=> (\/\S+) \(/g)].map(([, from = ""]) => ({
    from,
    to: join("/lib", basename(from)),
  }));
  const loaders = [...text.matchAll(/^\s+(\/\S+) \(/gm)].map(([, from = ""]) => ({ from, to: from }));
  return [...libraries, ...loaders];
}
