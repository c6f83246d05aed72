"""The SDKs of OpenAI and Ollama."""

import ollama
import openai
import pydantic

question = {"role": "user", "content": "Hi"}
parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": parameters}}


class Place(pydantic.BaseModel):
    city: str


def clients(url, model, replies):
    return {"openai": openai_scenarios(url, model, replies), "ollama": ollama_scenarios(url, model, replies)}


def assert_equal(text, expected):
    assert text == expected, f"the text is {text!r}"


def turns(replies):
    return [question, {"role": "assistant", "content": replies["first"]}, {"role": "user", "content": "And now?"}]


def openai_scenarios(url, model, replies):
    client = openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)
    completions = client.chat.completions

    def stream():
        chunks = completions.create(model=model, messages=[question], stream=True)
        assert_equal("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), replies["first"])

    def use_tool(complete):
        message = complete(messages=[question])
        [call] = message.tool_calls
        assert call.function.name == "weather" and "Oslo" in call.function.arguments
        result = {"role": "tool", "tool_call_id": call.id, "content": "Rain"}
        text = complete(messages=[question, message, result]).content
        assert text in (replies["result"], replies["thoughtful"]), f"the text after the tool call is {text!r}"

    def streamed(messages):
        with completions.stream(model=model, tools=[tool], messages=messages) as events:
            return events.get_final_completion().choices[0].message

    def structured():
        response = completions.parse(model=model, messages=[question], response_format=Place)
        assert_equal(response.choices[0].message.parsed.city, "Oslo")

    def response():
        with client.responses.stream(model=model, input="Hi") as events:
            assert_equal(events.get_final_response().output_text, replies["first"])

    def embeddings():
        assert len(client.embeddings.create(model=model, input=["a", "b"]).data[1].embedding) > 0

    def models():
        assert model in [each.id for each in client.models.list()]

    return {
        "response": lambda: assert_equal(
            completions.create(model=model, messages=[question]).choices[0].message.content, replies["first"]
        ),
        "stream": stream,
        "several turns": lambda: assert_equal(
            completions.create(model=model, messages=turns(replies)).choices[0].message.content, replies["again"]
        ),
        "tool": lambda: use_tool(
            lambda **options: completions.create(model=model, tools=[tool], **options).choices[0].message
        ),
        "streamed tool": lambda: use_tool(lambda **options: streamed(**options)),
        "structured output": structured,
        "streamed response": response,
        "embeddings": embeddings,
        "models": models,
    }


def ollama_scenarios(url, model, replies):
    client = ollama.Client(host=url)

    def stream():
        parts = client.chat(model=model, messages=[question], stream=True)
        assert_equal("".join(part.message.content for part in parts), replies["first"])

    def use_tool():
        message = client.chat(model=model, messages=[question], tools=[tool]).message
        [call] = message.tool_calls
        result = {"role": "tool", "tool_name": call.function.name, "content": "Rain"}
        response = client.chat(model=model, messages=[question, message, result], tools=[tool])
        assert_equal(response.message.content, replies["thoughtful"])

    def structured():
        response = client.chat(model=model, messages=[question], format=Place.model_json_schema())
        assert_equal(Place.model_validate_json(response.message.content).city, "Oslo")

    def embeddings():
        assert len(client.embed(model=model, input=["a", "b"]).embeddings) == 2

    def models():
        assert model in [each.model for each in client.list().models]
        assert "tools" in client.show(model).capabilities

    return {
        "response": lambda: assert_equal(
            client.chat(model=model, messages=[question]).message.content, replies["first"]
        ),
        "stream": stream,
        "several turns": lambda: assert_equal(
            client.chat(model=model, messages=turns(replies)).message.content, replies["again"]
        ),
        "tool": use_tool,
        "structured output": structured,
        "embeddings": embeddings,
        "models": models,
    }
