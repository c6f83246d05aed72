// Writes GGUF files, with just the features that the scripted model needs: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

const VERSION = 3;
const ALIGNMENT = 32;
const F32 = 0;
const FLOAT_BYTES = 4;

const types = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const;

export type GgufValue =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly int32s: readonly number[] };

export interface Tensor {
  readonly name: string;
  /** The innermost dimension first. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The content of a GGUF file. */
export function ggufFile(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly Tensor[]): Buffer {
  const header: Buffer[] = [
    Buffer.from("GGUF"),
    uint32(VERSION),
    uint64(tensors.length),
    uint64(Object.keys(metadata).length),
    ...Object.entries(metadata).flatMap(([key, value]) => [string(key), encode(value)]),
  ];
  const data: Buffer[] = [];
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    header.push(
      string(name),
      uint32(shape.length),
      ...shape.map((length) => uint64(length)),
      uint32(F32),
      uint64(offset),
    );
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.length * FLOAT_BYTES);
    const padded = pad(bytes);
    data.push(padded);
    offset += padded.length;
  }
  return Buffer.concat([pad(Buffer.concat(header)), ...data]);
}

function encode(value: GgufValue): Buffer {
  if ("uint32" in value) return Buffer.concat([uint32(types.uint32), uint32(value.uint32)]);
  if ("float32" in value) {
    const bytes = Buffer.alloc(FLOAT_BYTES);
    bytes.writeFloatLE(value.float32);
    return Buffer.concat([uint32(types.float32), bytes]);
  }
  if ("string" in value) return Buffer.concat([uint32(types.string), string(value.string)]);
  if ("strings" in value) return array(types.string, value.strings.map(string));
  return array(types.int32, value.int32s.map(uint32));
}

function array(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(types.array), uint32(type), uint64(items.length), ...items]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}
