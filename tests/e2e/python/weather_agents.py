"""Runs agent frameworks against the gateway at sys.argv[1]: two turns each, with a tool, streamed and buffered.

Each uses its own model name, so that the test can assign the requests that the model received. Prints as JSON the final
text of each turn.
"""

import asyncio
import json
import sys

import agents
import litellm
import openai
import pydantic_ai
from langchain_core.messages import ToolMessage
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.ollama import OllamaProvider
from pydantic_ai.providers.openai import OpenAIProvider

url = sys.argv[1]
turns = ["Hi", "And now?"]


def weather(city: str) -> str:
    """The weather in a city"""
    return f"Rain in {city}"


def by_litellm(provider, base, stream, **options):
    """Keeps the conversation as users of LiteLLM do: sends its own messages back."""
    name = f"{provider}-{'streamed' if stream else 'buffered'}"
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "description": weather.__doc__, "parameters": parameters}}
    messages, texts = [], []
    for turn in turns:
        messages.append({"role": "user", "content": turn})
        while True:
            response = litellm.completion(
                model=f"{provider}/{name}",
                api_base=base,
                api_key="none",
                messages=messages,
                stream=stream,
                num_retries=0,
                **({"tools": [tool]} if provider != "ollama" else {}),
                **options,
            )
            if stream:
                response = litellm.stream_chunk_builder(list(response), messages=messages)
            message = response.choices[0].message
            messages.append(message.model_dump())
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                result = weather(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        texts.append(message.content)
    return texts


async def by_pydantic(model, stream):
    agent = pydantic_ai.Agent(model, tools=[weather], instructions="Be brief.")
    history, texts = None, []
    for turn in turns:
        if stream:
            async with agent.run_stream(turn, message_history=history) as result:
                texts.append(await result.get_output())
            history = result.all_messages()
        else:
            result = await agent.run(turn, message_history=history)
            texts.append(result.output)
            history = result.all_messages()
    return texts


def by_langchain(model, stream):
    bound = model.bind_tools([weather])
    messages, texts = [], []
    for turn in turns:
        messages.append(("user", turn))
        while True:
            if stream:
                chunks = list(bound.stream(messages))
                message = sum(chunks[1:], chunks[0])
            else:
                message = bound.invoke(messages)
            messages.append(message)
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                messages.append(ToolMessage(weather(**call["args"]), tool_call_id=call["id"]))
        texts.append(message.text)
    return texts


async def by_agents(model, stream):
    agent = agents.Agent(name="Guide", instructions="Be brief.", model=model, tools=[agents.function_tool(weather)])
    history, texts = [], []
    for turn in turns:
        history.append({"role": "user", "content": turn})
        if stream:
            result = agents.Runner.run_streamed(agent, history)
            async for _ in result.stream_events():
                pass
        else:
            result = await agents.Runner.run(agent, history)
        texts.append(result.final_output)
        history = result.to_input_list()
    return texts


async def main():
    agents.set_tracing_disabled(True)
    litellm.suppress_debug_info = True
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    by_openai = OpenAIProvider(openai_client=client)
    by_ollama = OllamaProvider(base_url=f"{url}/v1", api_key="none")
    results = {}
    for stream in (False, True):
        how = "streamed" if stream else "buffered"
        results[f"openai-{how}"] = by_litellm("openai", f"{url}/v1", stream)
        results[f"ollama_chat-{how}"] = by_litellm("ollama_chat", url, stream, reasoning_effort="low")
        results[f"ollama-{how}"] = by_litellm("ollama", url, stream)
        for name, model in {
            "pydantic-chat": OpenAIChatModel(f"pydantic-chat-{how}", provider=by_openai),
            "pydantic-responses": OpenAIResponsesModel(f"pydantic-responses-{how}", provider=by_openai),
            "pydantic-ollama": OpenAIChatModel(f"pydantic-ollama-{how}", provider=by_ollama),
        }.items():
            results[f"{name}-{how}"] = await by_pydantic(model, stream)
        for name, model in {
            "langchain-openai": ChatOpenAI(
                model=f"langchain-openai-{how}", base_url=f"{url}/v1", api_key="none", max_retries=0
            ),
            "langchain-ollama": ChatOllama(model=f"langchain-ollama-{how}", base_url=url, reasoning=True),
        }.items():
            results[f"{name}-{how}"] = by_langchain(model, stream)
        for name, kind in {
            "agents-chat": agents.OpenAIChatCompletionsModel,
            "agents-responses": agents.OpenAIResponsesModel,
        }.items():
            results[f"{name}-{how}"] = await by_agents(kind(f"{name}-{how}", client), stream)
    embeddings = {
        provider: litellm.embedding(model=f"{provider}/m", api_base=base, api_key="none", input=["a", "b"]).data
        for provider, base in {"openai": f"{url}/v1", "ollama": url}.items()
    }
    results["embeddings"] = {name: [each["embedding"] for each in data] for name, data in embeddings.items()}
    print(json.dumps(results))


asyncio.run(main())
