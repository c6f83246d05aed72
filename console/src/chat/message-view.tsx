import { formatDuration, formatRate, plural } from "../lib/format.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import type { ChatMessage, ResponseStats } from "./conversation.ts";
import { isRunning, retry } from "./send.ts";
import { memo } from "../ui/memo.ts";

interface MessageProps {
  readonly message: ChatMessage;
  readonly index: number;
  readonly isLast: boolean;
}

export const MessageView = memo(({ message, index, isLast }: MessageProps) =>
  message.role === "user" ? (
    <UserMessage message={message} />
  ) : (
    <ModelMessage message={message} index={index} isLast={isLast} />
  ),
);

function UserMessage({ message: { text, images } }: { readonly message: ChatMessage }) {
  return (
    <li class="message message-user">
      <span class="off-screen">You:</span>
      {images !== undefined && (
        <div class="pictures">
          {images.map((url, index) => (
            <img key={index} src={url} alt={`Picture ${String(index + 1)} that you sent`} />
          ))}
        </div>
      )}
      {text !== "" && <p class="bubble">{text}</p>}
    </li>
  );
}

function ModelMessage({ message, index, isLast }: MessageProps) {
  const { text, thinking, state, error, isCut, stats, model } = message;
  const isStreaming = state === "streaming";
  const hasThinking = thinking !== undefined && thinking !== "";
  return (
    <li class="message message-model" aria-busy={isStreaming}>
      <p class="message-author">{model}</p>
      {hasThinking && (
        <details class="thinking">
          <summary>{isStreaming && text === "" ? "Thinking..." : "Thinking"}</summary>
          <div class="thinking-text">
            <Markdown text={thinking} />
          </div>
        </details>
      )}
      {text !== "" && <Markdown text={text} />}
      {isStreaming && text === "" && !hasThinking && (
        <p class="waiting" role="status">
          <span class="dots" aria-hidden="true" />
          <span class="off-screen">Waiting for the response</span>
        </p>
      )}
      {error !== undefined && (
        <p class="error-text message-error" role="alert">
          {error.message}
          {error.requestId !== undefined && <span class="muted small-text"> Request {error.requestId}</span>}
        </p>
      )}
      {state === "stopped" && <p class="muted small-text">You stopped the response.</p>}
      {isCut === true && <p class="muted small-text">The response was truncated at the token limit.</p>}
      {!isStreaming && (
        <div class="message-foot">
          {stats !== undefined && <Stats stats={stats} />}
          {text !== "" && <CopyButton label="Copy" text={() => text} />}
          {isLast && (
            <button
              type="button"
              class="quiet small"
              disabled={isRunning()}
              onClick={() => {
                retry(index);
              }}
            >
              Retry
            </button>
          )}
        </div>
      )}
    </li>
  );
}

function Stats({ stats }: { readonly stats: ResponseStats }) {
  const { tokensPerSecond, firstTokenMs, generatedTokens, promptTokens, totalMs } = stats;
  const parts = [
    ...(tokensPerSecond === undefined ? [] : [formatRate(tokensPerSecond)]),
    ...(firstTokenMs === undefined ? [] : [`first token ${formatDuration(firstTokenMs)}`]),
    ...(generatedTokens === undefined ? [] : [plural(generatedTokens, "token")]),
    ...(promptTokens === undefined ? [] : [`prompt ${plural(promptTokens, "token")}`]),
    `total ${formatDuration(totalMs)}`,
  ];
  return (
    <ul class="stats" aria-label="Statistics of the response">
      {parts.map((part) => (
        <li key={part}>{part}</li>
      ))}
    </ul>
  );
}
