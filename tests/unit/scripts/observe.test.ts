import { afterAll, describe, expect, it } from "vitest";
import { browserCommand } from "../../../scripts/connect/browser.ts";
import { containerLog, stackContainers } from "../../../scripts/observe/container-logs.ts";
import { formatLogLine, isError, parseLogLine } from "../../../scripts/observe/log-line.ts";
import { readLogs } from "../../../scripts/observe/merged-logs.ts";
import { parseFindings, parseOverview } from "../../../scripts/observe/gateway-view.ts";
import { formatStatus, parseLoaded, parseQueue, type Status } from "../../../scripts/observe/status.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});
const at = "2026-11-28T10:00:01.123456789Z";
const read = (component: string, text: string) => {
  const line = parseLogLine(component, `${at} ${text}`);
  return { line, shown: formatLogLine(line, 7) };
};

describe("npm run logs", () => {
  it.each([
    [
      "gateway",
      '{"level":"info","time":"x","method":"POST","route":"/v1/chat/completions","status":200,"key":"a b","msg":"request"}',
      '10:00:01.123  gateway  info   request method=POST route=/v1/chat/completions status=200 key="a b"',
    ],
    [
      "edge",
      '{"level":"error","ts":1,"logger":"http.log","msg":"dial failed","error":{"code":1}}',
      '10:00:01.123  edge     error  dial failed error={"code":1}',
    ],
    [
      "ollama",
      'time=2026-11-28T10:00:01Z level=WARN source=sched.go:5 msg="model \\"x\\" is slow" size=3',
      '10:00:01.123  ollama   warn   model "x" is slow size=3',
    ],
    [
      "ollama",
      String.raw`time=x level=INFO msg="\"C:\\new\" \u00e9\U0001f600\U7fffffff \xe9 \'\q"`,
      `10:00:01.123  ollama   info   "C:\\new" é😀\ufffd é 'q`,
    ],
    [
      "ollama",
      "[GIN] 2026/11/28 | 200 | /api/tags",
      "10:00:01.123  ollama   info   [GIN] 2026/11/28 | 200 | /api/tags",
    ],
    ["gateway", '{"level":"in', '10:00:01.123  gateway  info   {"level":"in'],
  ])("formats a line of the %s: %s", (component, text, expected) => {
    expect(read(component, text).shown).toBe(expected);
  });

  it.each([
    ["as it is", "\u001b[2J\u001b]0;title\u0007harmless\r\u0008 text\u009b1A"],
    ["in JSON", String.raw`{"level":"info","msg":"\u001b[2Jharmless","path":"\u009b1A\u0007"}`],
    ["quoted by Go", String.raw`time=x level=INFO msg="\x1b[2J\a\u009b1Aharmless\n"`],
  ])("removes control characters that a client sent, %s", (_form, sent) => {
    const text = read("ollama", sent).shown;
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(text).toContain("harmless");
  });

  it("merges the lines of all containers by time, and recognizes errors", async () => {
    docker.mock({
      "container ls": "ollama-stack-dev-ollama\nollama-stack-dev-gateway\n",
      "container logs --timestamps --tail 100 ollama-stack-dev-ollama":
        "2026-11-28T10:00:01Z first\n2026-11-28T10:00:03Z time=x level=ERROR msg=third\n",
      "container logs --timestamps --tail 100 ollama-stack-dev-gateway":
        '2026-11-28T10:00:02Z {"level":"info","msg":"second"}\n',
    });
    const lines = await readLogs(await stackContainers("organization/ollama-stack/dev"), { tail: "100" });
    expect(lines.map(({ component, message }) => [component, message])).toEqual([
      ["ollama", "first"],
      ["gateway", "second"],
      ["ollama", "third"],
    ]);
    expect(lines.filter(isError).map(({ message }) => message)).toEqual(["third"]);
  });

  it("reports why a log cannot be read", async () => {
    docker.mock({ "container logs": { fails: "configured logging driver does not support reading" } });
    const one = containerLog({ name: "ollama-stack-dev-edge", component: "edge" });
    await expect(readLogs([one], { tail: "1" })).rejects.toThrow(
      "the log of ollama-stack-dev-edge cannot be read: configured logging driver does not support reading",
    );
  });
});

describe("npm run status", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const status: Status = {
    stack: "dev",
    gatewayUrl: "http://127.0.0.1:8000",
    containers: [
      {
        component: "gateway",
        status: "running",
        health: "healthy",
        restarts: 0,
        startedAt: "2026-11-28T11:15:00Z",
      },
      {
        component: "ollama",
        status: "exited",
        health: "none",
        restarts: 2,
        startedAt: "0001-01-01T00:00:00Z",
      },
    ],
    loadedModels: parseLoaded(
      JSON.stringify({
        models: [{ name: "tiny:1b", size: 2e9, size_vram: 1e9, expires_at: "2026-11-28T12:04:30Z" }],
      }),
    ),
    queue: parseQueue("# HELP x\ngateway_requests_in_flight 2\ngateway_queue_depth 3\n"),
    findings: [],
    lastErrors: [
      parseLogLine("ollama", `${at} level=ERROR msg=x`),
      parseLogLine("ollama", `${at} time=x level=ERROR msg=broken`),
    ].slice(1),
  };

  it("shows containers, waiting requests, loaded models and the last errors", () => {
    expect(formatStatus(status, now).split("\n")).toEqual([
      "stack dev   STATE     HEALTH    RESTARTS   SINCE",
      "gateway     running   healthy   0          45 min",
      "ollama      exited              2          never",
      "",
      "gateway: http://127.0.0.1:8000/v1",
      "requests: 2 in flight, 3 waiting",
      "loaded models: tiny:1b (2.0 GB, 1.0 GB of it on GPUs, for 4 min more)",
      "last errors:",
      "  2026-11-28 10:00:01.123  ollama  error  broken",
    ]);
  });

  it("shows servers, requests and findings if the gateway has an admin API", () => {
    const view = parseOverview(
      JSON.stringify({
        at: "2026-11-28T12:00:00Z",
        draining: false,
        backends: [
          {
            name: "ollama:11434",
            state: "circuit_open",
            probe_ms: 1.5,
            slots_used: 1,
            slots_limit: 4,
            loading: [],
          },
        ],
        models: {
          installed: [],
          loaded: [
            {
              name: "tiny:1b",
              backend: "ollama:11434",
              size_bytes: 2e9,
              vram_bytes: 0,
              gpu_share: 0,
              context_tokens: 4096,
              expires_at: "2026-11-28T12:04:30Z",
            },
          ],
          omitted: 0,
        },
        queue: { length: 1, limit: 256, waiting: [{ key: "ada", priority: null, requests: 1 }] },
        in_flight: 1,
        loads: 0,
        requests: [
          {
            id: "1f-7",
            request_id: "mine",
            trace_id: null,
            route: "/v1/chat/completions",
            key: "ada",
            model: "tiny:1b",
            backend: "ollama:11434",
            stream: true,
            priority: null,
            phase: "generating",
            started_at: "2026-11-28T11:59:00Z",
            age_ms: 61_000,
            prompt_tokens: 9,
            generated_tokens: 34,
            can_cancel: true,
          },
        ],
        requests_omitted: 0,
        // A field of a newer gateway.
        more: 1,
      }),
    );
    const findings = parseFindings(
      JSON.stringify({
        at: "2026-11-28T12:00:00Z",
        level: "warning",
        findings: [
          { check: "backend", level: "ok", subject: null, message: "Well.", advice: null },
          {
            check: "memory",
            level: "warning",
            subject: null,
            message: "Nearly full.",
            advice: "Raise the limit.",
          },
        ],
        gateway: {
          version: "1",
          started_at: "2026-11-28T11:00:00Z",
          uptime_seconds: 3600,
          memory_bytes: 1,
          memory_limit_bytes: null,
        },
      }),
    );
    const { queue, loadedModels } = view;
    const lines = formatStatus({ ...status, queue, loadedModels, view, findings, lastErrors: [] }, now).split(
      "\n",
    );
    expect(lines.slice(5)).toEqual([
      "requests: 1 in flight, 1 waiting",
      "loaded models: tiny:1b (2.0 GB, for 4 min more)",
      "server ollama:11434: circuit open, 1 of 4 slots used",
      "  1f-7 /v1/chat/completions of ada: tiny:1b, generating, 34 tokens, 1 min old",
      "warning: Nearly full. Raise the limit.",
      "errors in the last 24 hours: none",
    ]);
  });

  it("shows why a value is not known", () => {
    const text = formatStatus({ ...status, queue: "no key", loadedModels: "away", lastErrors: [] }, now);
    expect(text).toContain("requests: not known (no key)\nloaded models: not known (away)\n");
    expect(text).toContain("errors in the last 24 hours: none");
  });

  it("shows that no model is loaded", () => {
    expect(parseLoaded('{"models":null}')).toEqual([]);
    expect(formatStatus({ ...status, loadedModels: [] }, now)).toContain("loaded models: none");
  });
});

it.each([
  ["darwin", {}, ["open", "http://x"]],
  ["win32", {}, ["rundll32", "url.dll,FileProtocolHandler", "http://x"]],
  ["linux", { DISPLAY: ":0" }, ["xdg-open", "http://x"]],
  ["linux", {}, undefined],
] as const)("on %s with %j npm run open runs %j", (platform, environment, expected) => {
  expect(browserCommand("http://x", platform, environment)).toEqual(expected);
});
