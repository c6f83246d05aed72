import { Dialog } from "../ui/dialog.tsx";
import { type ChatSettings, defaultSettings, thinkingLevels } from "./conversation.ts";
import { can } from "./models.ts";
import { changeSettings, chatSettings } from "./store.ts";

interface NumberField {
  readonly name: "temperature" | "topP" | "maxTokens" | "seed";
  readonly label: string;
  readonly hint: string;
  readonly min?: number;
  readonly max?: number;
  readonly step: number | "any";
}

const numberFields: readonly NumberField[] = [
  {
    name: "temperature",
    label: "Temperature",
    hint: "0 to 2: higher is more random",
    min: 0,
    max: 2,
    step: 0.1,
  },
  {
    name: "topP",
    label: "Top P",
    hint: "0 to 1: share of likely tokens to choose from",
    min: 0,
    max: 1,
    step: 0.05,
  },
  { name: "maxTokens", label: "Maximum tokens", hint: "Length of a response", min: 1, step: 1 },
  { name: "seed", label: "Seed", hint: "The same seed gives the same response", step: 1 },
];

/** The parameters sent with each message. */
export function SettingsDialog({ onClose }: { readonly onClose: () => void }) {
  const settings = chatSettings.value;
  return (
    <Dialog title="Settings" onClose={onClose} kind="side-panel">
      <div class="field">
        <label for="system">System prompt</label>
        <textarea
          id="system"
          rows={5}
          placeholder="You are a helpful assistant."
          value={settings.system}
          onInput={({ currentTarget }) => {
            changeSettings({ system: currentTarget.value });
          }}
        />
      </div>
      <div class="field">
        <label for="thinking">Thinking</label>
        <select
          id="thinking"
          value={settings.thinking}
          aria-describedby="thinking-hint"
          onChange={({ currentTarget }) => {
            const level = thinkingLevels.find((each) => each === currentTarget.value);
            changeSettings({ thinking: level ?? "default" });
          }}
        >
          {thinkingLevels.map((level) => (
            <option key={level} value={level}>
              {level === "default" ? "Model default" : level === "none" ? "Off" : level}
            </option>
          ))}
        </select>
        <p id="thinking-hint" class="muted small-text">
          {can("thinking") === false
            ? "The selected model does not support thinking."
            : "How much thinking models think before they respond."}
        </p>
      </div>
      <div class="field-grid">
        {numberFields.map((field) => (
          <NumberInput key={field.name} field={field} />
        ))}
      </div>
      <div class="field">
        <label for="stop">Stop at</label>
        <input
          id="stop"
          value={settings.stop}
          aria-describedby="stop-hint"
          onInput={({ currentTarget }) => {
            changeSettings({ stop: currentTarget.value });
          }}
        />
        <p id="stop-hint" class="muted small-text">
          A text at which the response ends
        </p>
      </div>
      <button
        type="button"
        onClick={() => {
          changeSettings({ ...defaultSettings, model: settings.model } satisfies ChatSettings);
        }}
      >
        Reset to the model&apos;s defaults
      </button>
    </Dialog>
  );
}

function NumberInput({ field: { name, label, hint, ...bounds } }: { readonly field: NumberField }) {
  const hintId = `${name}-hint`;
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        type="number"
        placeholder="default"
        {...bounds}
        value={chatSettings.value[name]}
        aria-describedby={hintId}
        onInput={({ currentTarget }) => {
          changeSettings({ [name]: currentTarget.value });
        }}
      />
      <p id={hintId} class="muted small-text">
        {hint}
      </p>
    </div>
  );
}
