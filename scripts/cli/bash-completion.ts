import { commands } from "./command-definitions.mjs";
import { type CommandName, scriptOf, shownOptions } from "./command-line.mjs";

/**
 * A script that makes Bash complete `npm run COMMAND -- OPTION` in a folder of this project: commands, options, and the
 * values of options with choices. Anything else is left to npm's own completion, if installed.
 */
export function bashCompletion(): string {
  const names = Object.keys(commands) as CommandName[];
  const options = names.flatMap((name) => {
    const own = Object.keys(shownOptions(name));
    return [
      `      ${scriptOf(name)}) words="${[...own, "help"].map((option) => `--${option}`).join(" ")}" ;;`,
    ];
  });
  const values = names.flatMap((name) =>
    Object.entries(shownOptions(name)).flatMap(([option, { choices }]) =>
      choices === undefined ? [] : [`    "${scriptOf(name)} --${option}") words="${choices.join(" ")}" ;;`],
    ),
  );
  return `_ollama_stack() {
  if [[ \${COMP_WORDS[1]} != run || ! -f scripts/cli/command-definitions.mjs ]]; then
    if declare -F _npm_completion > /dev/null; then _npm_completion; fi
    return
  fi
  local current=\${COMP_WORDS[COMP_CWORD]} words= file
  if ((COMP_CWORD == 2)); then
    words="${names.map(scriptOf).join(" ")}"
  elif [[ " \${COMP_WORDS[*]:3:COMP_CWORD-3} " != *" -- "* ]]; then
    words="--"
  else case "\${COMP_WORDS[2]} \${COMP_WORDS[COMP_CWORD-1]}" in
    *" --stack" | *" -s")
      for file in Pulumi.*.yaml; do
        file=\${file#Pulumi.}
        words+=" \${file%.yaml}"
      done ;;
${values.join("\n")}
    *) case \${COMP_WORDS[2]} in
${options.join("\n")}
    esac ;;
  esac fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _ollama_stack npm`;
}
