import { useState } from "preact/hooks";
import { Logo } from "../ui/icons.tsx";
import { keyRejection, useKey } from "./key.ts";

/** Prompts for an API key. */
export function SignIn() {
  const [key, setKey] = useState("");
  const reason = keyRejection.value ?? "";
  const submit = (event: Event) => {
    event.preventDefault();
    const entered = key.trim();
    if (entered !== "") useKey(entered);
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <Logo />
        <h1>Sign in</h1>
        <p>This gateway needs an API key. It stays in this tab and is forgotten when you close it.</p>
        <label for="api-key">API key</label>
        <input
          id="api-key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autofocus
          value={key}
          aria-describedby={reason === "" ? undefined : "key-error"}
          aria-invalid={reason !== ""}
          onInput={({ currentTarget }) => {
            setKey(currentTarget.value);
          }}
        />
        {reason !== "" && (
          <p id="key-error" class="error-text" role="alert">
            {reason}
          </p>
        )}
        <button class="primary" type="submit">
          Sign in
        </button>
      </form>
    </main>
  );
}
