// Pulumi loads a pack with require and compiles .ts files with its own TypeScript compiler. Through this file, Node.js
// loads them instead, as it does for the program.
import "./pack.ts";
