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

# A single loop, because the clients' connections belong to it.
loop = asyncio.new_event_loop()


def weather(city: str) -> str:
    """The weather in a city"""
    return f"Rain in {city}"


def clients(url, model, replies):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    openai_provider = OpenAIProvider(openai_client=client)
    ollama_provider = OllamaProvider(base_url=f"{url}/v1", api_key="none")
    agents.set_tracing_disabled(True)
    return {
        "litellm openai": litellm_scenarios(f"openai/{model}", f"{url}/v1", replies),
        "litellm ollama_chat": litellm_scenarios(f"ollama_chat/{model}", url, replies),
        "litellm ollama": litellm_scenarios(f"ollama/{model}", url, replies),
        "pydantic chat": agent_scenarios(run_pydantic, OpenAIChatModel(model, provider=openai_provider), replies),
        "pydantic responses": agent_scenarios(
            run_pydantic, OpenAIResponsesModel(model, provider=openai_provider), replies
        ),
        "pydantic ollama": agent_scenarios(run_pydantic, OpenAIChatModel(model, provider=ollama_provider), replies),
        "agents chat": agent_scenarios(run_agent, agents.OpenAIChatCompletionsModel(model, client), replies),
        "agents responses": agent_scenarios(run_agent, agents.OpenAIResponsesModel(model, client), replies),
    }


def assert_one_of(text, *expected):
    assert text in expected, f"the text is {text!r}"


def litellm_scenarios(model, base, replies):
    def complete(stream=False, **options):
        response = litellm.completion(
            model=model, api_base=base, api_key="none", stream=stream, num_retries=0, **options
        )
        if stream:
            response = litellm.stream_chunk_builder(list(response), messages=options["messages"])
        return response.choices[0].message

    def use_tool(stream):
        """Sends back the received message."""
        messages = [question]
        message = complete(messages=messages, tools=[tool], stream=stream)
        [call] = message.tool_calls
        result = weather(**json.loads(call.function.arguments))
        messages += [message.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": result}]
        text = complete(messages=messages, tools=[tool], stream=stream).content
        assert_one_of(text, replies["result"], replies["thoughtful"])

    def several_turns():
        messages = [question, {"role": "assistant", "content": replies["first"]}, question]
        assert_one_of(complete(messages=messages).content, replies["again"])

    def structured():
        assert json.loads(complete(messages=[question], response_format=place).content) == {"city": "Oslo"}

    def embeddings():
        name = model.replace("ollama_chat", "ollama")
        data = litellm.embedding(model=name, api_base=base, api_key="none", input=["a", "b"]).data
        assert len(data) == 2 and len(data[1]["embedding"]) > 0

    return {
        "response": lambda: assert_one_of(complete(messages=[question]).content, replies["first"]),
        "stream": lambda: assert_one_of(complete(messages=[question], stream=True).content, replies["first"]),
        "several turns": several_turns,
        "tool": lambda: use_tool(False),
        "streamed tool": lambda: use_tool(True),
        "structured output": structured,
        "embeddings": embeddings,
    }


def agent_scenarios(run, model, replies):
    """Two turns of an agent with a tool, with its history."""

    def two_turns(stream):
        for text in loop.run_until_complete(run(model, stream)):
            assert_one_of(text, replies["result"], replies["thoughtful"])

    return {
        "tool over two turns": lambda: two_turns(False),
        "streamed tool over two turns": lambda: two_turns(True),
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
    items, texts = [], []
    for turn in ("Hi", "And now?"):
        items.append({"role": "user", "content": turn})
        if stream:
            result = agents.Runner.run_streamed(agent, items)
            async for _ in result.stream_events():
                pass
        else:
            result = await agents.Runner.run(agent, items)
        texts.append(result.final_output)
        items = result.to_input_list()
    return texts
