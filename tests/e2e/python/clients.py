"""Sends requests to the gateway at sys.argv[1] with the Python clients, and prints the parsed responses as JSON.

sys.argv[2] may name a real model. As it may be small, the tool choice is then "required": it might not call the tool
otherwise. Its texts end after a few tokens.
"""

import json
import sys

import ollama
import openai
from openai_helpers import helpers

url = sys.argv[1]
model_name, tool_choice, limit = "m", "auto", openai.omit
if len(sys.argv) > 2:
    model_name, tool_choice, limit = sys.argv[2], "required", 8
options = None if limit is openai.omit else {"num_predict": limit}
hello = [{"role": "user", "content": "Hi"}]
by_openai = openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
by_ollama = ollama.Client(host=url)


def openai_error():
    try:
        by_openai.chat.completions.create(model="nope", messages=hello)
    except openai.NotFoundError as error:
        return error.code


def ollama_error():
    try:
        by_ollama.chat(model="nope", messages=hello)
    except ollama.ResponseError as error:
        return error.status_code


completion = by_openai.chat.completions.create(model=model_name, messages=hello, max_completion_tokens=limit)
chunks = by_openai.chat.completions.create(
    model=model_name,
    messages=hello,
    max_completion_tokens=limit,
    stream=True,
    stream_options={"include_usage": True},
)
streamed = list(chunks)
with by_openai.responses.stream(model=model_name, input="Hi", max_output_tokens=limit) as stream:
    # get_final_response() would raise an error for a response that ends at a limit.
    response = list(stream)[-1].response

print(
    json.dumps(
        {
            "openai": {
                "buffered": completion.choices[0].message.content,
                "streamed": [c.choices[0].delta.content for c in streamed if c.choices],
                "usage": streamed[-1].usage.total_tokens,
                "response": response.output_text,
                "completion": by_openai.completions.create(model=model_name, prompt="Hi", max_tokens=limit)
                .choices[0]
                .text,
                "embedding": by_openai.embeddings.create(model=model_name, input="Hi").data[0].embedding,
                "models": [model.id for model in by_openai.models.list()],
                "error": openai_error(),
                "helpers": helpers(by_openai, model_name, tool_choice),
            },
            "ollama": {
                "buffered": by_ollama.chat(model=model_name, messages=hello, options=options).message.content,
                "streamed": [
                    part.message.content
                    for part in by_ollama.chat(model=model_name, messages=hello, options=options, stream=True)
                ],
                "generated": by_ollama.generate(model=model_name, prompt="Hi", options=options).response,
                "embedding": list(by_ollama.embed(model=model_name, input="Hi").embeddings[0]),
                "models": [model.model for model in by_ollama.list().models],
                "running": [model.model for model in by_ollama.ps().models],
                "capabilities": by_ollama.show(model_name).capabilities,
                "error": ollama_error(),
            },
        }
    )
)
