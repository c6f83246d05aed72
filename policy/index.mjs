// Pulumi's runner loads a pack by require, with a TypeScript compiler of its own for .ts files; this file has Node.js
// load them as it runs the program's.
import "./pack.ts";
