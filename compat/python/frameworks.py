"""LiteLLM with its providers, Pydantic AI and the OpenAI Agents SDK."""

import asyncio
import json

import agents
import litellm
import openai
import pydantic_ai
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider

question = {"role": "user", "content": "Hi"}
parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": parameters}}
place = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": parameters}}

# One for all, as the clients' connections belong to it.
loop = asyncio.new_event_loop()


def weather(city: str) -> str:
    """The weather in a city"""
    return f"Rain in {city}"


def clients(url, model, says):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    by_openai = OpenAIProvider(openai_client=client)
    by_ollama = OllamaProvider(base_url=f"{url}/v1", api_key="none")
    agents.set_tracing_disabled(True)
    return {
        "litellm openai": by_litellm(f"openai/{model}", f"{url}/v1", says),
        "litellm ollama_chat": by_litellm(f"ollama_chat/{model}", url, says),
        "litellm ollama": by_litellm(f"ollama/{model}", url, says),
        "pydantic chat": by_agent(run_pydantic, OpenAIChatModel(model, provider=by_openai), says),
        "pydantic responses": by_agent(run_pydantic, OpenAIResponsesModel(model, provider=by_openai), says),
        "pydantic ollama": by_agent(run_pydantic, OpenAIChatModel(model, provider=by_ollama), says),
        "agents chat": by_agent(run_agent, agents.OpenAIChatCompletionsModel(model, client), says),
        "agents responses": by_agent(run_agent, agents.OpenAIResponsesModel(model, client), says),
    }


def one_of(text, *expected):
    assert text in expected, f"it said {text!r}"


def by_litellm(model, base, says):
    def ask(stream=False, **given):
        response = litellm.completion(
            model=model, api_base=base, api_key="none", stream=stream, num_retries=0, **given
        )
        if stream:
            response = litellm.stream_chunk_builder(list(response), messages=given["messages"])
        return response.choices[0].message

    def use_tool(stream):
        """Its own messages are sent back."""
        messages = [question]
        message = ask(messages=messages, tools=[tool], stream=stream)
        [call] = message.tool_calls
        result = weather(**json.loads(call.function.arguments))
        messages += [message.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": result}]
        one_of(ask(messages=messages, tools=[tool], stream=stream).content, says["result"], says["thoughtful"])

    def several_turns():
        messages = [question, {"role": "assistant", "content": says["first"]}, question]
        one_of(ask(messages=messages).content, says["again"])

    def structured():
        assert json.loads(ask(messages=[question], response_format=place).content) == {"city": "Oslo"}

    def embeddings():
        name = model.replace("ollama_chat", "ollama")
        data = litellm.embedding(model=name, api_base=base, api_key="none", input=["a", "b"]).data
        assert len(data) == 2 and len(data[1]["embedding"]) > 0

    return {
        "answer": lambda: one_of(ask(messages=[question]).content, says["first"]),
        "stream": lambda: one_of(ask(messages=[question], stream=True).content, says["first"]),
        "several turns": several_turns,
        "tool": lambda: use_tool(False),
        "streamed tool": lambda: use_tool(True),
        "structured output": structured,
        "embeddings": embeddings,
    }


def by_agent(run, model, says):
    """Two turns of an agent with a tool, with its history."""

    def two_turns(stream):
        for text in loop.run_until_complete(run(model, stream)):
            one_of(text, says["result"], says["thoughtful"])

    return {
        "tool, over two turns": lambda: two_turns(False),
        "streamed tool, over two turns": lambda: two_turns(True),
    }


async def run_pydantic(model, stream):
    agent = pydantic_ai.Agent(model, tools=[weather], instructions="Be brief.")
    history, texts = None, []
    for turn in ("Hi", "And now?"):
        if stream:
            async with agent.run_stream(turn, message_history=history) as result:
                texts.append(await result.get_output())
        else:
            result = await agent.run(turn, message_history=history)
            texts.append(result.output)
        history = result.all_messages()
    return texts


async def run_agent(model, stream):
    agent = agents.Agent(name="Guide", instructions="Be brief.", model=model, tools=[agents.function_tool(weather)])
    given, texts = [], []
    for turn in ("Hi", "And now?"):
        given.append({"role": "user", "content": turn})
        if stream:
            result = agents.Runner.run_streamed(agent, given)
            async for _ in result.stream_events():
                pass
        else:
            result = await agents.Runner.run(agent, given)
        texts.append(result.final_output)
        given = result.to_input_list()
    return texts
