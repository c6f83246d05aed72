import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icons.tsx";
import { CodeDialog } from "./code-dialog.tsx";
import { Composer } from "./composer.tsx";
import { HistoryDialog } from "./history-dialog.tsx";
import { MessageView } from "./message-view.tsx";
import { loadModels, models, modelsError } from "./models.ts";
import { isRunning, send } from "./send.ts";
import { SettingsDialog } from "./settings-dialog.tsx";
import { changeSettings, chatSettings, current, newChat } from "./store.ts";

type Open = "settings" | "history" | "code";

export function ChatPage() {
  const [open, setOpen] = useState<Open>();
  useEffect(() => void loadModels(), []);
  const close = () => {
    setOpen(undefined);
  };
  const hasMessages = (current.value?.messages.length ?? 0) > 0;
  return (
    <>
      <h1 class="off-screen">Try it</h1>
      <div class="chat-bar">
        <ModelPicker />
        <div class="chat-tools">
          <Tool
            icon="settings"
            label="Settings"
            onClick={() => {
              setOpen("settings");
            }}
          />
          <Tool
            icon="code"
            label="Code"
            onClick={() => {
              setOpen("code");
            }}
          />
          <Tool
            icon="history"
            label="History"
            onClick={() => {
              setOpen("history");
            }}
          />
          <Tool icon="plus" label="New chat" onClick={newChat} disabled={!hasMessages} />
        </div>
      </div>
      {modelsError.value !== undefined && (
        <p class="error-text banner" role="alert">
          {modelsError.value}{" "}
          <button type="button" class="small" onClick={() => void loadModels()}>
            Try again
          </button>
        </p>
      )}
      {hasMessages ? <Messages /> : <Welcome />}
      <Composer />
      {open === "settings" && <SettingsDialog onClose={close} />}
      {open === "code" && <CodeDialog onClose={close} />}
      {open === "history" && <HistoryDialog onClose={close} />}
    </>
  );
}

interface ToolProps {
  readonly icon: "settings" | "code" | "history" | "plus";
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
}

function Tool({ icon, label, onClick, disabled = false }: ToolProps) {
  return (
    <button type="button" class="quiet" onClick={onClick} disabled={disabled} title={label}>
      <Icon name={icon} />
      <span class="tool-label">{label}</span>
    </button>
  );
}

function ModelPicker() {
  const all = models.value;
  const { model } = chatSettings.value;
  if (all?.length === 0) return <p class="muted">No installed model supports chat.</p>;
  return (
    <div class="model-picker">
      <label for="model" class="off-screen">
        Model
      </label>
      <select
        id="model"
        value={model}
        disabled={all === undefined}
        onChange={({ currentTarget }) => {
          changeSettings({ model: currentTarget.value });
        }}
      >
        {all === undefined && <option value={model}>{model === "" ? "Loading models..." : model}</option>}
        {all?.map(({ id }) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </select>
    </div>
  );
}

const suggestions = [
  "Explain how a language model chooses its next word, for a ten-year-old.",
  "Write a haiku about a container that restarts at night.",
  "Show a table of HTTP status codes that a gateway returns, with one use each.",
];

function Welcome() {
  return (
    <div class="welcome">
      <p class="welcome-title">What would you like to know?</p>
      <p class="muted">The model runs on your own server. Chats stay in this browser.</p>
      <ul>
        {suggestions.map((text) => (
          <li key={text}>
            <button
              type="button"
              disabled={chatSettings.value.model === "" || isRunning()}
              onClick={() => {
                send(text, []);
              }}
            >
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Pixels from the end. The page does not follow new text if the user has scrolled further up. */
const NEAR_END_PX = 120;

function Messages() {
  const list = useRef<HTMLDivElement>(null);
  const followsEnd = useRef(true);
  const chat = current.value;
  const messages = chat?.messages ?? [];
  const onScroll = () => {
    const { current: element } = list;
    if (element === null) return;
    followsEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
  };
  useLayoutEffect(() => {
    followsEnd.current = true;
  }, [chat?.id, messages.length]);
  useLayoutEffect(() => {
    if (followsEnd.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  });
  return (
    // Focusable for scrolling by keyboard.
    <div class="messages" ref={list} onScroll={onScroll} tabIndex={0} role="region" aria-label="Messages">
      <ol>
        {messages.map((message, index) => (
          <MessageView key={index} message={message} index={index} isLast={index === messages.length - 1} />
        ))}
      </ol>
    </div>
  );
}
