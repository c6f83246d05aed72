package main

import (
	"fmt"
	"strings"
	"time"
)

// Number of tokens in a response.
const tokensPerResponse = 64

var tokens = func() (texts [tokensPerResponse]string) {
	for i := range texts {
		texts[i] = fmt.Sprintf(" w%02d", i)
	}
	return
}()

// The text of every response, streaming or buffered.
var responseText = strings.Join(tokens[:], "")

// The bytes of one kind of response, prepared so that the fake costs as little as possible.
type responses struct {
	// The head of a stream with its first token, because Ollama sends both together.
	first []byte
	// The other tokens, each written separately as Ollama does.
	rest [tokensPerResponse - 1][]byte
	// Another token, for endless streams.
	more []byte
	// The last line, and the end of the chunked body after it.
	last, end []byte
	buffered  []byte
}

func httpDate() string { return time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

func streamHead(contentType string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\nDate: " + httpDate() + "\r\nTransfer-Encoding: chunked\r\n\r\n"
}

func bufferedResponse(contentType, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s",
		contentType, httpDate(), len(body), body)
}

func chunk(data string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data) }

const createdAt = "2025-06-11T09:21:04.118264573Z"

// Responses of Ollama's /api/chat.
func nativeResponses(model string) *responses {
	line := func(content string) string {
		return fmt.Sprintf(`{"model":%q,"created_at":%q,"message":{"role":"assistant","content":%q},"done":false}`+"\n",
			model, createdAt, content)
	}
	last := func(content string) string {
		return fmt.Sprintf(`{"model":%q,"created_at":%q,"message":{"role":"assistant","content":%q},"done":true,"done_reason":"stop",`+
			`"total_duration":812734125,"load_duration":51203417,"prompt_eval_count":26,"prompt_eval_duration":98412208,`+
			`"eval_count":%d,"eval_duration":662118500}`, model, createdAt, content, tokensPerResponse)
	}
	r := &responses{
		first:    append([]byte(streamHead("application/x-ndjson")), chunk(line(tokens[0]))...),
		more:     chunk(line(tokens[0])),
		last:     chunk(last("") + "\n"),
		end:      []byte("0\r\n\r\n"),
		buffered: bufferedResponse("application/json; charset=utf-8", last(responseText)),
	}
	for i := range r.rest {
		r.rest[i] = chunk(line(tokens[i+1]))
	}
	return r
}

// Responses of Ollama's /v1/chat/completions, for the peers that use it.
func openAIResponses(model string) *responses {
	event := func(delta, finish string) string {
		return fmt.Sprintf(`data: {"id":"chatcmpl-417","object":"chat.completion.chunk","created":1749633664,"model":%q,`+
			`"system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", model, delta, finish)
	}
	token := func(content string) string {
		return event(fmt.Sprintf(`{"role":"assistant","content":%q}`, content), "null")
	}
	buffered := fmt.Sprintf(`{"id":"chatcmpl-417","object":"chat.completion","created":1749633664,"model":%q,`+
		`"system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":26,"completion_tokens":%d,"total_tokens":%d}}`, model, responseText, tokensPerResponse, 26+tokensPerResponse)
	r := &responses{
		first:    append([]byte(streamHead("text/event-stream")), chunk(token(tokens[0]))...),
		more:     chunk(token(tokens[0])),
		last:     append(chunk(event(`{"role":"assistant","content":""}`, `"stop"`)), chunk("data: [DONE]\n\n")...),
		end:      []byte("0\r\n\r\n"),
		buffered: bufferedResponse("application/json", buffered),
	}
	for i := range r.rest {
		r.rest[i] = chunk(token(tokens[i+1]))
	}
	return r
}

const (
	fast  = "fast"
	paced = "paced"
	slow  = "slow"
	open  = "open"
	cold  = "cold"
)

var models = []string{fast, paced, slow, open, cold}

func tagsResponse() []byte {
	entries := make([]string, len(models))
	for i, model := range models {
		entries[i] = fmt.Sprintf(`{"name":"%[1]s:latest","model":"%[1]s:latest","modified_at":%[2]q,"size":1321098329,`+
			`"digest":"baf6a787fdffd633537aa2eb51cfd54cb93ff08e28040095462bb63daf552878",`+
			`"details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"1.2B","quantization_level":"Q8_0"}}`,
			model, createdAt)
	}
	return bufferedResponse("application/json; charset=utf-8", `{"models":[`+strings.Join(entries, ",")+`]}`)
}

// All models are loaded except "cold".
func runningResponse() []byte {
	expires := time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339Nano)
	var entries []string
	for _, model := range models {
		if model != cold {
			entries = append(entries, fmt.Sprintf(`{"name":"%[1]s:latest","model":"%[1]s:latest","size":1592590336,"size_vram":0,`+
				`"digest":"baf6a787fdffd633537aa2eb51cfd54cb93ff08e28040095462bb63daf552878","expires_at":%[2]q,"context_length":4096}`,
				model, expires))
		}
	}
	return bufferedResponse("application/json; charset=utf-8", `{"models":[`+strings.Join(entries, ",")+`]}`)
}
