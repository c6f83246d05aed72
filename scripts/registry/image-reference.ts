/** A parsed image reference. */
export interface ImageReference {
  /** As written, without tag and digest. */
  readonly name: string;
  readonly tag: string;
  /** "sha256:..." if it is pinned. */
  readonly digest: string | undefined;
  /** Host and port for requests. */
  readonly registry: string;
  readonly repository: string;
}

/** Parses a reference like Docker: the default registry is Docker Hub, with the default namespace `library`. */
export function parseReference(text: string): ImageReference {
  const [tagged = "", digest] = text.split("@");
  // A port is followed by a slash, a tag is not.
  const colon = /:([^/:]+)$/.exec(tagged);
  const name = colon === null ? tagged : tagged.slice(0, colon.index);
  const tag = colon?.[1] ?? "latest";
  const [first = "", ...rest] = name.split("/");
  const named = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  if (named && first !== "docker.io")
    return { name, tag, digest, registry: first, repository: rest.join("/") };
  const path = named ? rest : [first, ...rest];
  const repository = path.length === 1 ? `library/${path.join("")}` : path.join("/");
  return { name, tag, digest, registry: "registry-1.docker.io", repository };
}

/** The reference by digest. */
export function pinned({ name, tag }: ImageReference, digest: string): string {
  return `${name}:${tag}@${digest}`;
}
