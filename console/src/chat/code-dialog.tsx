import { useState } from "preact/hooks";
import { gatewayUrl } from "../api/request.ts";
import { session } from "../session/session.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { codeFor, languages } from "./code-snippets.ts";
import type { ChatMessage } from "./conversation.ts";
import { chatBody } from "./request-body.ts";
import { chatSettings, current } from "./store.ts";

const example: ChatMessage = { role: "user", text: "Hello!" };

/** Shows the chat's request as code. */
export function CodeDialog({ onClose }: { readonly onClose: () => void }) {
  const [language, setLanguage] = useState(languages[0] as (typeof languages)[number]);
  const messages = messagesOfLastRequest(current.value?.messages ?? []);
  const body = chatBody(chatSettings.value, messages.length === 0 ? [example] : messages);
  const options = {
    url: gatewayUrl.href.replace(/\/$/, ""),
    needsKey: session.value?.keys_configured === true,
  };
  const code = codeFor(language, body, options);
  return (
    <Dialog title="This chat as code" onClose={onClose} kind="wide">
      <div class="tabs" role="group" aria-label="Language">
        {languages.map((each) => (
          <button
            key={each}
            type="button"
            class="small"
            aria-pressed={each === language}
            onClick={() => {
              setLanguage(each);
            }}
          >
            {each}
          </button>
        ))}
        <CopyButton label={`Copy as ${language}`} text={() => code} />
      </div>
      <pre class="code" tabIndex={0} role="region" aria-label={`Code in ${language}`}>
        <code>{truncateImages(code)}</code>
      </pre>
      {options.needsKey && (
        <p class="muted small-text">The code reads your key from the variable OLLAMA_STACK_API_KEY.</p>
      )}
    </Dialog>
  );
}

/** The messages up to the user's last one, as in the last request. */
function messagesOfLastRequest(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return messages.slice(0, messages.findLastIndex(({ role }) => role === "user") + 1);
}

/** Truncates images in the displayed code; the copied code is complete. */
function truncateImages(code: string): string {
  return code.replaceAll(/(data:image\/\w+;base64,[\w+/=]{40})[\w+/=]+/g, "$1...");
}
