"""The SDKs of OpenAI and Ollama."""

import ollama
import openai
import pydantic

question = {"role": "user", "content": "Hi"}
parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": parameters}}


class Place(pydantic.BaseModel):
    city: str


def clients(url, model, says):
    return {"openai": by_openai(url, model, says), "ollama": by_ollama(url, model, says)}


def same(text, expected):
    assert text == expected, f"it said {text!r}"


def turns(says):
    return [question, {"role": "assistant", "content": says["first"]}, {"role": "user", "content": "And now?"}]


def by_openai(url, model, says):
    client = openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
    ask = client.chat.completions

    def stream():
        chunks = ask.create(model=model, messages=[question], stream=True)
        same("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), says["first"])

    def use_tool(get):
        message = get(messages=[question])
        [call] = message.tool_calls
        assert call.function.name == "weather" and "Oslo" in call.function.arguments
        result = {"role": "tool", "tool_call_id": call.id, "content": "Rain"}
        text = get(messages=[question, message, result]).content
        assert text in (says["result"], says["thoughtful"]), f"after the tool it said {text!r}"

    def streamed(messages):
        with ask.stream(model=model, tools=[tool], messages=messages) as events:
            return events.get_final_completion().choices[0].message

    def structured():
        answer = ask.parse(model=model, messages=[question], response_format=Place)
        same(answer.choices[0].message.parsed.city, "Oslo")

    def response():
        with client.responses.stream(model=model, input="Hi") as events:
            same(events.get_final_response().output_text, says["first"])

    def embeddings():
        assert len(client.embeddings.create(model=model, input=["a", "b"]).data[1].embedding) > 0

    def models():
        assert model in [each.id for each in client.models.list()]

    return {
        "answer": lambda: same(ask.create(model=model, messages=[question]).choices[0].message.content, says["first"]),
        "stream": stream,
        "several turns": lambda: same(
            ask.create(model=model, messages=turns(says)).choices[0].message.content, says["again"]
        ),
        "tool": lambda: use_tool(lambda **given: ask.create(model=model, tools=[tool], **given).choices[0].message),
        "streamed tool": lambda: use_tool(lambda **given: streamed(**given)),
        "structured output": structured,
        "streamed response": response,
        "embeddings": embeddings,
        "models": models,
    }


def by_ollama(url, model, says):
    client = ollama.Client(host=url)

    def stream():
        parts = client.chat(model=model, messages=[question], stream=True)
        same("".join(part.message.content for part in parts), says["first"])

    def use_tool():
        message = client.chat(model=model, messages=[question], tools=[tool]).message
        [call] = message.tool_calls
        result = {"role": "tool", "tool_name": call.function.name, "content": "Rain"}
        answer = client.chat(model=model, messages=[question, message, result], tools=[tool])
        same(answer.message.content, says["thoughtful"])

    def structured():
        answer = client.chat(model=model, messages=[question], format=Place.model_json_schema())
        same(Place.model_validate_json(answer.message.content).city, "Oslo")

    def embeddings():
        assert len(client.embed(model=model, input=["a", "b"]).embeddings) == 2

    def models():
        assert model in [each.model for each in client.list().models]
        assert "tools" in client.show(model).capabilities

    return {
        "answer": lambda: same(client.chat(model=model, messages=[question]).message.content, says["first"]),
        "stream": stream,
        "several turns": lambda: same(client.chat(model=model, messages=turns(says)).message.content, says["again"]),
        "tool": use_tool,
        "structured output": structured,
        "embeddings": embeddings,
        "models": models,
    }
