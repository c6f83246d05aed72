/** An image by name: where it is, and what it is called there. */
export interface ImageReference {
  /** Without tag and digest, as it was written. */
  readonly name: string;
  readonly tag: string;
  /** "sha256:..." when it is pinned already. */
  readonly digest: string | undefined;
  /** Host, with its port, that requests go to. */
  readonly registry: string;
  readonly repository: string;
}

/** Reads a reference as Docker does: without a registry it is Docker Hub's, and there without a namespace `library`. */
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

/** The reference that means this image and no other. */
export function pinned({ name, tag }: ImageReference, digest: string): string {
  return `${name}:${tag}@${digest}`;
}
