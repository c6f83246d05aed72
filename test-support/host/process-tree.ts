import { execFileSync } from "node:child_process";

/** Lists a process and its descendants, one per line: id, elapsed seconds, command. */
export function processTree(root: number): string {
  const listed = execFileSync("ps", ["-eo", "pid=,ppid=,etimes=,args="], { encoding: "utf8" });
  const processes = listed
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ +/))
    .map(([pid, parent, seconds, ...args]) => ({ pid: Number(pid), parent: Number(parent), seconds, args }));
  const below = (pid: number, indent: string): string[] =>
    processes
      .filter((each) => each.parent === pid)
      .flatMap((each) => [`${indent}${line(each)}`, ...below(each.pid, `${indent}  `)]);
  const line = ({ pid, seconds = "", args }: (typeof processes)[number]) =>
    `${String(pid)} ${seconds} s ${args.join(" ").slice(0, 200)}`;
  return [...processes.filter(({ pid }) => pid === root).map(line), ...below(root, "  ")].join("\n");
}
