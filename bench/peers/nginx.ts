import { mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tryRun, runTool, SetupError } from "../../host/exec.ts";
import { step } from "../../host/progress.ts";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { freePort } from "../../host/free-port.ts";
import { PinnedProcess } from "../pinned-process.ts";
import type { Peer } from "./peer.ts";

let program = "";

/** Debian's nginx, which forwards Ollama's own API unread: the upper limit for a proxy. */
export const nginx: Peer = {
  name: "nginx",
  isOurs: false,

  async prepare() {
    const version = await candidateVersion();
    // Unpacked instead of installed, because the package starts a service on port 80.
    const folder = await artefact("bench-nginx", keyOf([version]), (partial) =>
      step(`nginx ${version}`, 5, async (report) => {
        await runTool("apt-get", ["download", `nginx=${version}`], {
          what: "download nginx",
          cwd: partial,
          report,
        });
        const [archive] = readdirSync(partial);
        await runTool("dpkg-deb", ["-x", String(archive), "."], {
          what: "unpack nginx",
          cwd: partial,
          report,
        });
      }),
    );
    program = join(folder, "usr", "sbin", "nginx");
    return `Debian's ${version}, one worker, forwarding \`/api/chat\` with \`proxy_buffering off\`, keep-alive connections, no log`;
  },

  async start(ollamaPort, folder) {
    const port = await freePort();
    const home = join(folder, "nginx");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "nginx.conf"), configuration(port, ollamaPort, home));
    return await PinnedProcess.start({
      command: [program, "-p", home, "-c", join(home, "nginx.conf")],
      port,
      readyPath: "/api/version",
      output: openSync(join(folder, "nginx.log"), "a"),
    });
  },

  request: (port, model, stream) => ({ port, path: "/api/chat", model, stream }),
};

async function candidateVersion(): Promise<string> {
  const policy = async () => await tryRun("apt-cache", ["policy", "nginx"]);
  const [, version] = /Candidate: (\d\S*)/.exec((await policy()) ?? "") ?? [];
  if (version !== undefined) return version;
  await runTool("apt-get", ["-q", "update"], { what: "apt-get update" });
  const [, updated] = /Candidate: (\d\S*)/.exec((await policy()) ?? "") ?? [];
  if (updated === undefined)
    throw new SetupError("Debian's package nginx was not found: leave it out with --only");
  return updated;
}

function configuration(port: number, ollamaPort: number, home: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${join(home, name)};`,
  );
  return `daemon off;
worker_processes 1;
pid ${join(home, "nginx.pid")};
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
${temporary.join("\n")}
  keepalive_requests 1000000000;
  upstream ollama {
    server 127.0.0.1:${ollamaPort};
    keepalive 1024;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://ollama;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}
