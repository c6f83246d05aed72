import { signOut, apiKey } from "../session/key.ts";
import { hasAdminApi, session } from "../session/session.ts";
import { Icon, Logo } from "./icons.tsx";
import { page, pageNames, pages } from "./router.ts";
import { type Theme, theme, themes } from "./theme.ts";

const themeIcons = { system: "system", light: "sun", dark: "moon" } as const;

/** Navigation, user and theme. At the bottom on phones. */
export function Navigation({ onSkip }: { readonly onSkip: () => void }) {
  return (
    <header class="side">
      <button type="button" class="skip-link" onClick={onSkip}>
        Skip to the content
      </button>
      <a class="brand" href="#/chat">
        <Logo />
        <span>
          ollama<b>stack</b>
        </span>
      </a>
      <nav aria-label="Pages">
        <ul>
          {pageNames
            .filter((name) => hasAdminApi.value || name === "chat")
            .map((name) => (
              <li key={name}>
                <a href={`#/${name}`} aria-current={page.value === name ? "page" : undefined}>
                  <Icon name={name} />
                  <span>{pages[name]}</span>
                </a>
              </li>
            ))}
        </ul>
      </nav>
      <div class="side-foot">
        <Account />
        <ThemeButton />
      </div>
    </header>
  );
}

function Account() {
  const { key, keys_configured: hasKeys, rights, version } = session.value ?? {};
  if (hasKeys !== true)
    return <p class="muted small-text account">{version !== "" && `version ${version ?? ""}`}</p>;
  return (
    <div class="account">
      <p class="small-text" title={rights?.admin === true ? "This key has the admin flag." : undefined}>
        {key}
        {rights?.admin === true && <span class="tag">admin</span>}
      </p>
      {apiKey.value !== undefined && (
        <button type="button" class="quiet small" onClick={signOut}>
          Sign out
        </button>
      )}
    </div>
  );
}

function ThemeButton() {
  const now = theme.value;
  const next: Theme = themes[(themes.indexOf(now) + 1) % themes.length] ?? "system";
  const label = `Theme: ${now}. Switch to ${next}`;
  return (
    <button
      type="button"
      class="quiet icon-button"
      aria-label={label}
      title={label}
      onClick={() => {
        theme.value = next;
      }}
    >
      <Icon name={themeIcons[now]} />
    </button>
  );
}
