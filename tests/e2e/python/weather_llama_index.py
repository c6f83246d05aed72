"""Runs LlamaIndex against the gateway at sys.argv[1], and prints JSON, as weather_agents.py does for others."""

import asyncio
import json
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import Memory
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike

url = sys.argv[1]


def weather(city: str) -> str:
    """The weather in a city"""
    return f"Rain in {city}"


async def converse(llm, stream):
    agent = FunctionAgent(tools=[weather], llm=llm, system_prompt="Be brief.", streaming=stream)
    memory = Memory.from_defaults()
    texts = []
    for turn in ("Hi", "And now?"):
        texts.append((await agent.run(turn, memory=memory)).response.content)
    return texts


async def main():
    results = {}
    for stream in (False, True):
        how = "streamed" if stream else "buffered"
        llms = {
            "llama-ollama": Ollama(model=f"llama-ollama-{how}", base_url=url, request_timeout=60, thinking=True),
            "llama-openai": OpenAILike(
                model=f"llama-openai-{how}",
                api_base=f"{url}/v1",
                api_key="none",
                is_chat_model=True,
                is_function_calling_model=True,
                max_retries=0,
            ),
        }
        for name, llm in llms.items():
            results[f"{name}-{how}"] = await converse(llm, stream)
    print(json.dumps(results))


asyncio.run(main())
