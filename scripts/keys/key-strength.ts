import { ZxcvbnFactory } from "@zxcvbn-ts/core";
import { adjacencyGraphs, dictionary } from "@zxcvbn-ts/language-common";
import { commonPasswords } from "../../components/config/common-passwords.ts";

/** Required bits of entropy; a key with fewer could be found by brute force from its digest. */
export const REQUIRED_BITS = 128;

// Bits of a word out of ten thousand.
const WORD_BITS = Math.log2(10_000);

// 32 random hexadecimal digits contain dates and short words by chance.
const CHANCE_LENGTH = 4;

// Six bits of a random UUID, version 4, say that it is one.
const uuid = /^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i;
const UUID_BITS = 122;

/** The problem with a user's own key, if any; completes "The key ...". */
export async function weaknessOf(key: string): Promise<string | undefined> {
  if (!/^[\x21-\x7e]+$/.test(key))
    return "has a character that no HTTP header can carry. Use printable ASCII characters without spaces.";
  if ((await commonPasswords()).has(key))
    return "is one of the 10000 most common passwords. Generate one with: npm run new-key -- NAME";
  const bits = Math.floor(entropyBits(key));
  if (bits >= REQUIRED_BITS) return undefined;
  return `has about ${String(bits)} bits of entropy and needs ${String(REQUIRED_BITS)}. Generate one with npm run new-key -- NAME, or with openssl rand -hex 32.`;
}

/**
 * Estimates the entropy of a key from above: the length times the bits of a character of the smallest usual alphabet
 * that has them all, where the key looks random; words, repetitions, sequences and rows of the keyboard count only what
 * it takes to guess them. A key that a person made up is less random than it looks.
 */
export function entropyBits(key: string): number {
  if (uuid.test(key)) return UUID_BITS;
  const perCharacter = Math.log2(alphabetSize(key));
  const { sequence } = estimator().check(key);
  const byPatterns = sequence.reduce<number>((bits, { pattern, token, guesses }) => {
    const byChance = pattern === "bruteforce" || pattern === "date" || token.length <= CHANCE_LENGTH;
    const random = token.length * perCharacter;
    return bits + (byChance ? random : Math.min(random, Math.log2(Number(guesses))));
  }, 0);
  return Math.min(byPatterns, bitsOfWords(key, perCharacter));
}

/** A run of letters may be a word in a language without a word list. */
function bitsOfWords(key: string, perCharacter: number): number {
  if (alphabetSize(key) <= 16) return key.length * perCharacter;
  if (/^[A-Za-z]+([-_.][A-Za-z]+)+$/.test(key)) return key.split(/[-_.]/).length * WORD_BITS;
  return (key.match(/[A-Z]?[a-z]+|[A-Z]+|[^A-Za-z]+/g) ?? []).reduce((bits, run) => {
    const random = run.length * perCharacter;
    return bits + (/^[A-Za-z]{4,}$/.test(run) ? Math.min(random, WORD_BITS) : random);
  }, 0);
}

// Alphabets of random keys: digits, base 16, 32, 36, 62 and 64.
const alphabets: readonly (readonly [RegExp, number])[] = [
  [/^\d+$/, 10],
  [/^([\da-f]+|[\dA-F]+)$/, 16],
  [/^([a-z2-7]+|[A-Z2-7]+)$/, 32],
  [/^([\da-z]+|[\dA-Z]+)$/, 36],
  [/^[\dA-Za-z]+$/, 62],
  [/^([\dA-Za-z_-]+|[\dA-Za-z+/=]+)$/, 64],
];

function alphabetSize(key: string): number {
  return alphabets.find(([characters]) => characters.test(key))?.[1] ?? 94;
}

let made: ZxcvbnFactory | undefined;

function estimator(): ZxcvbnFactory {
  return (made ??= new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: 512 }));
}
