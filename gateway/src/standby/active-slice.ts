import { isIPv6 } from "node:net";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import type { ApiServer } from "./api-server.ts";

interface SliceOptions {
  readonly namespace: string;
  /** Name of the Service, which has no selector. */
  readonly service: string;
  readonly pod: { readonly name: string; readonly uid: string; readonly address: string };
  readonly port: number;
}

const sliceSchema = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).nullish(),
    ownerReferences: z.array(z.looseObject({ uid: z.string() })).nullish(),
  }),
  addressType: z.string(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()).nullish(),
        conditions: z.looseObject({}).nullish(),
      }),
    )
    .nullish(),
  ports: z.array(z.looseObject({})).nullish(),
});
type Slice = z.output<typeof sliceSchema>;

/**
 * The EndpointSlice that directs a Service to the active gateway. A single object with one endpoint, so that there are
 * never none or two.
 */
export class ActiveSlice {
  readonly #api: ApiServer;
  readonly #options: SliceOptions;
  readonly #collection: string;
  readonly #path: string;
  readonly #name: string;

  constructor(api: ApiServer, options: SliceOptions) {
    this.#api = api;
    this.#options = options;
    this.#name = `${options.service}-active`;
    this.#collection = `/apis/discovery.k8s.io/v1/namespaces/${options.namespace}/endpointslices`;
    this.#path = `${this.#collection}/${this.#name}`;
  }

  /**
   * Whether the Service points to this gateway.
   *
   * @throws Error if the API server does not respond
   */
  async isHere(): Promise<boolean> {
    const slice = await this.#read();
    const addresses = slice?.endpoints?.flatMap((each) => each.addresses ?? []) ?? [];
    return addresses.includes(this.#options.pod.address);
  }

  /**
   * Points the Service to this gateway.
   *
   * @param isAllowed checked after reading the object: a state read before a takeover then fails to be written after it
   * @returns whether the Service points here
   * @throws Error if the API server does not respond or refuses
   */
  async pointHere(isAllowed: () => boolean): Promise<boolean> {
    const slice = await this.#read();
    const own = contentOf(this.#name, this.#options);
    if (slice !== undefined && isSame(slice, own)) return true;
    if (!isAllowed()) return false;
    const what = "writing the EndpointSlice";
    if (slice === undefined) return this.#api.write("POST", this.#collection, own, what);
    const { resourceVersion } = slice.metadata;
    const changed = { ...own, metadata: { ...own.metadata, resourceVersion } };
    return this.#api.write("PUT", this.#path, changed, what);
  }

  #read(): Promise<Slice | undefined> {
    return this.#api.read(this.#path, sliceSchema, "reading the EndpointSlice");
  }
}

function contentOf(name: string, { namespace, service, pod, port }: SliceOptions) {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name,
      namespace,
      labels: {
        "kubernetes.io/service-name": service,
        "endpointslice.kubernetes.io/managed-by": "ollama-stack-gateway",
      },
      // Lets Kubernetes delete the slice with the pod, even if no gateway is left to update it.
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: pod.name, uid: pod.uid }],
    },
    addressType: isIPv6(pod.address) ? "IPv6" : "IPv4",
    endpoints: [
      {
        addresses: [pod.address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: "Pod", namespace, name: pod.name, uid: pod.uid },
      },
    ],
    // Must be the name of the Service's port.
    ports: [{ name: "http", port, protocol: "TCP" }],
  };
}

/** Whether the fields that matter are up to date; the server adds others. */
function isSame(slice: Slice, own: ReturnType<typeof contentOf>): boolean {
  const addresses = slice.endpoints?.map((each) => each.addresses ?? []);
  const isReady = slice.endpoints?.every(({ conditions }) => conditions?.["ready"] === true) === true;
  const [port] = slice.ports ?? [];
  const [ownPort] = own.ports;
  return (
    isReady &&
    isDeepStrictEqual(
      addresses,
      own.endpoints.map((each) => each.addresses),
    ) &&
    slice.ports?.length === 1 &&
    port?.["name"] === ownPort?.name &&
    port?.["port"] === ownPort?.port &&
    Object.entries(own.metadata.labels).every(([name, value]) => slice.metadata.labels?.[name] === value) &&
    slice.metadata.ownerReferences?.[0]?.uid === own.metadata.ownerReferences[0]?.uid
  );
}
