import { clusterInterruptions, clusterKinds, clusterName } from "./cluster-steps.ts";
import { type Preview, imageType, resourceOf, type Step } from "./steps.ts";

// Resources that users know; commands that wait or clean up are omitted.
const kinds: Readonly<Record<string, string>> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  [imageType]: "image",
  "docker:index/volume:Volume": "volume",
  ...clusterKinds,
};
const PULL = /^model-(.+)-pull$/;

// Messages of the program besides warnings.
const DOWNLOAD = /^(Model |The models need )/;
const CHOICE = /^(gpus is auto|The model )/;

type Change = "creates" | "changes in place" | "replaces" | "deletes";
const changes: readonly Change[] = ["creates", "changes in place", "replaces", "deletes"];

const changeOf: Readonly<Record<string, Change>> = {
  create: "creates",
  update: "changes in place",
  replace: "replaces",
  "create-replacement": "replaces",
  "delete-replaced": "replaces",
  delete: "deletes",
};

interface DescribedChange {
  /** Kind and name, such as "container ollama-stack-dev-gateway". */
  readonly what: string;
  readonly change: Change;
  /** Changed inputs. */
  readonly because: readonly string[];
  readonly service: Service | undefined;
}

/** The service of a container. */
type Service = "gateway" | "ollama" | "edge";
const CONTAINER = /^(gateway|ollama|edge)(?:-\d+)?-container$/;

/**
 * Describes a preview as Markdown: what is created, changed in place, replaced and deleted, what that interrupts, and the
 * downloads of models and of `images`.
 */
export function describePreview(
  { steps, diagnostics }: Preview,
  stack: string,
  images: readonly string[] = [],
): string {
  const described = describeChanges(steps);
  const whom = clusterInterruptions(steps) ?? interruptions(described, staying(steps));
  const lines = [heading(stack), "", ...whom, ""];
  const list = (title: string, entries: readonly string[]) => {
    if (entries.length > 0) lines.push(title, "", ...entries.map((text) => `- ${text}`), "");
  };
  if (described.length === 0) lines.push("Nothing changes.", "");
  for (const change of changes) {
    const own = described.filter((each) => each.change === change);
    if (own.length === 0) continue;
    lines.push(`It **${change}**:`, "", ...own.map(line), "");
  }
  const messages = diagnostics.map(({ message, severity }) => ({
    text: message.trim().replace(/^warning: /, ""),
    severity,
  }));
  const models = messages.flatMap(({ text }) => (DOWNLOAD.test(text) ? [text] : []));
  list("What is downloaded:", [...models, ...images]);
  list(
    "What to know:",
    messages.flatMap(({ text, severity }) =>
      !DOWNLOAD.test(text) && (severity === "warning" || CHOICE.test(text)) ? [text] : [],
    ),
  );
  return lines.join("\n").trimEnd();
}

/** The heading of a stack's description. */
export function heading(stack: string): string {
  return `### Preview of the stack \`${stack}\``;
}

function describeChanges(steps: readonly Step[]): DescribedChange[] {
  const described = new Map<string, DescribedChange>();
  for (const step of steps) {
    const { op, urn, replaceReasons, diffReasons, detailedDiff, newState, oldState } = step;
    const change = changeOf[op];
    const { type, name } = resourceOf(step);
    const model = PULL.exec(name)?.[1];
    const kind = model === undefined ? kinds[type] : "model";
    if (change === undefined || kind === undefined) continue;
    // The Kubernetes provider reports only paths.
    const paths = type in clusterKinds ? Object.keys(detailedDiff ?? {}) : [];
    const reasons = replaceReasons ?? diffReasons ?? paths;
    const because = new Set([...(described.get(urn)?.because ?? []), ...reasons]);
    const inputs = (newState ?? oldState)?.inputs;
    const ownName = inputs?.["name"] ?? clusterName(inputs);
    described.set(urn, {
      what: `${kind} \`${model ?? (typeof ownName === "string" ? ownName : name)}\``,
      change,
      because: [...because],
      service: CONTAINER.exec(name)?.[1] as Service | undefined,
    });
  }
  return [...described.values()];
}

function line({ what, change, because }: DescribedChange): string {
  const why = because.length === 0 || change === "creates" ? "" : `, because of ${because.join(", ")}`;
  return `- ${what}${why}`;
}

/** The number of containers of each service before and after, to determine whether one serves while another is replaced. */
function staying(steps: readonly Step[]): Readonly<Record<Service, number>> {
  const names = { gateway: new Set<string>(), ollama: new Set<string>(), edge: new Set<string>() };
  for (const { op, urn } of steps) {
    const service = CONTAINER.exec(urn.split("::").at(-1) ?? "")?.[1] as Service | undefined;
    if (service !== undefined && op !== "create" && op !== "delete") names[service].add(urn);
  }
  return { gateway: names.gateway.size, ollama: names.ollama.size, edge: names.edge.size };
}

/** Interruptions, one line each. */
function interruptions(
  described: readonly DescribedChange[],
  stay: Readonly<Record<Service, number>>,
): string[] {
  const count = (service: Service, change: Change) =>
    described.filter((each) => each.service === service && each.change === change).length;
  const lines: string[] = [];
  const rolls: string[] = [];
  if (count("edge", "replaces") > 0)
    lines.push(
      "**Interrupts**: the edge is unavailable for some seconds while its container is replaced; responses in flight are cut off.",
    );
  if (count("edge", "deletes") > 0 && stay.gateway > 0)
    lines.push(
      "**Interrupts**: the edge is removed before the gateway gets its port; responses in flight are cut off, and the service is unavailable for some seconds.",
    );
  // The edge keeps running in front of the gateway only if it existed before.
  if (count("gateway", "replaces") > 0 && stay.gateway > 1 && stay.edge > 0)
    rolls.push(`the ${String(stay.gateway)} gateways`);
  else if (count("gateway", "replaces") > 0 && stay.edge > 0)
    lines.push(
      "**Interrupts**: the gateway is unavailable for some seconds while its container is replaced; it finishes its requests first, and new ones wait at the edge.",
    );
  else if (count("gateway", "replaces") > 0)
    lines.push(
      "**Interrupts**: the gateway is unavailable for some seconds while its container is replaced; it finishes its requests first.",
    );
  if (count("ollama", "replaces") > 0 && stay.ollama > 1)
    rolls.push(`the ${String(stay.ollama)} Ollama servers`);
  else if (count("ollama", "replaces") > 0)
    lines.push(
      "**Interrupts**: Ollama is unavailable for some seconds while its container is replaced; responses in flight are cut off, and models are reloaded.",
    );
  if (
    ["gateway", "ollama"].some(
      (service) => stay[service as Service] === 0 && count(service as Service, "deletes") > 0,
    )
  )
    lines.push("**Ends** the service.");
  if (rolls.length > 0)
    lines.push(
      `${lines.length === 0 ? "No interruption: " : "Also, "}${rolls.join(" and ")} are replaced one at a time, each after its requests have finished.`,
    );
  return lines.length === 0 ? ["Interrupts nobody."] : lines;
}
