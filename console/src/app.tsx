import { useEffect, useRef } from "preact/hooks";
import { ChatPage } from "./chat/chat-page.tsx";
import { HealthPage } from "./health/health-page.tsx";
import { KeysPage } from "./keys/keys-page.tsx";
import { OverviewPage } from "./overview/overview-page.tsx";
import { RequestsPage } from "./requests/requests-page.tsx";
import { keyRejection } from "./session/key.ts";
import { hasAdminApi, session, sessionError } from "./session/session.ts";
import { SignIn } from "./session/sign-in.tsx";
import { Navigation } from "./ui/navigation.tsx";
import { page, type PageName, pages } from "./ui/router.ts";

const components: Readonly<Record<PageName, () => preact.ComponentChildren>> = {
  chat: ChatPage,
  overview: OverviewPage,
  requests: RequestsPage,
  keys: KeysPage,
  health: HealthPage,
};

export function App() {
  if (keyRejection.value !== undefined) return <SignIn />;
  if (session.value === undefined) return <Connecting />;
  return <Pages />;
}

function Connecting() {
  const error = sessionError.value;
  return (
    <main class="sign-in">
      <p role="status" class={error === undefined ? "muted" : "card"}>
        {error === undefined ? "Connecting to the gateway..." : `${error} Trying again every 3 seconds.`}
      </p>
    </main>
  );
}

function Pages() {
  const name = hasAdminApi.value ? page.value : "chat";
  const main = useRef<HTMLElement>(null);
  const shown = useRef(name);
  useEffect(() => {
    document.title = `${pages[name]} - ollama-stack console`;
    // Announces the new page to screen readers.
    if (shown.current !== name) main.current?.focus();
    shown.current = name;
  }, [name]);
  const Page = components[name];
  return (
    <div class="shell">
      <Navigation onSkip={() => main.current?.focus()} />
      <main ref={main} tabIndex={0} class={`page page-${name}`}>
        <Page />
      </main>
    </div>
  );
}
