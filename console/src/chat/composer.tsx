import { useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../api/request.ts";
import { Icon } from "../ui/icons.tsx";
import { imagesIn, MAX_IMAGES, toDataUrl } from "./images.ts";
import { can } from "./models.ts";
import { isRunning, send, stop } from "./send.ts";
import { chatSettings, current } from "./store.ts";

/** The input for a message. Enter sends it, Shift+Enter inserts a newline. */
export function Composer() {
  const [text, setText] = useState("");
  const [images, setImages] = useState<readonly string[]>([]);
  const [problem, setProblem] = useState<string>();
  const area = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const seesImages = can("vision") === true;
  const chatId = current.value?.id;
  useEffect(() => area.current?.focus(), [chatId]);

  const add = async (files: readonly File[]) => {
    setProblem(undefined);
    if (files.length > 0 && !seesImages) {
      setProblem("The selected model does not support images.");
      return;
    }
    try {
      const urls = await Promise.all(files.slice(0, MAX_IMAGES).map(toDataUrl));
      setImages((before) => [...before, ...urls].slice(0, MAX_IMAGES));
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  const isReady =
    chatSettings.value.model !== "" && !isRunning() && (text.trim() !== "" || images.length > 0);
  const submit = () => {
    if (!isReady) return;
    send(text.trim(), images);
    setText("");
    setImages([]);
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => {
        event.preventDefault();
      }}
      onDrop={(event) => {
        event.preventDefault();
        void add(imagesIn(event.dataTransfer?.files ?? []));
      }}
    >
      {problem !== undefined && (
        <p class="error-text" role="alert">
          {problem}
        </p>
      )}
      {images.length > 0 && (
        <ul class="pictures">
          {images.map((url, index) => (
            <li key={url}>
              <img src={url} alt={`Picture ${String(index + 1)} to send`} />
              <button
                type="button"
                class="icon-button"
                aria-label={`Remove picture ${String(index + 1)}`}
                onClick={() => {
                  setImages(images.filter((each) => each !== url));
                }}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="composer-row">
        {seesImages && (
          <>
            <input
              ref={file}
              class="off-screen"
              type="file"
              accept="image/*"
              multiple
              tabIndex={-1}
              aria-label="Images"
              onChange={({ currentTarget }) => {
                void add(imagesIn(currentTarget.files ?? []));
                currentTarget.value = "";
              }}
            />
            <button
              type="button"
              class="quiet icon-button"
              aria-label="Add images"
              title="Add images"
              onClick={() => file.current?.click()}
            >
              <Icon name="image" />
            </button>
          </>
        )}
        <textarea
          ref={area}
          rows={1}
          aria-label="Message"
          placeholder="Write a message"
          value={text}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
          }}
          onPaste={(event) => {
            const files = imagesIn(event.clipboardData?.files ?? []);
            if (files.length === 0) return;
            event.preventDefault();
            void add(files);
          }}
          onKeyDown={(event) => {
            // During input method composition, Enter confirms it.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            submit();
          }}
        />
        {isRunning() ? (
          <button type="button" class="primary icon-button" aria-label="Stop" title="Stop" onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button
            type="submit"
            class="primary icon-button"
            aria-label="Send"
            title="Send"
            disabled={!isReady}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
