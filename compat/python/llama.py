"""LlamaIndex, with its models for Ollama and for OpenAI's API."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.workflow import Context
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike

# A single loop, because the clients' connections belong to it.
loop = asyncio.new_event_loop()


def weather(city: str) -> str:
    """The weather in a city"""
    return f"Rain in {city}"


def clients(url, model, replies):
    openai_like = OpenAILike(
        model=model,
        api_base=f"{url}/v1",
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    )
    return {
        "ollama": scenarios(Ollama(model=model, base_url=url, request_timeout=60), replies),
        "openai": scenarios(openai_like, replies),
    }


def assert_one_of(text, *expected):
    assert text in expected, f"the text is {text!r}"


def scenarios(llm, replies):
    def conversation(*roles):
        texts = {"user": "Hi", "assistant": replies["first"]}
        return [ChatMessage(role=role, content=texts[role]) for role in roles]

    def stream():
        assert_one_of("".join(part.delta for part in llm.stream_chat(conversation("user"))), replies["first"])

    async def converse(streaming):
        agent = FunctionAgent(tools=[weather], llm=llm, system_prompt="Be brief.", streaming=streaming)
        memory = Context(agent)
        for turn in ("Hi", "And now?"):
            result = await agent.run(turn, ctx=memory)
            assert_one_of(result.response.content, replies["result"], replies["thoughtful"])

    return {
        "response": lambda: assert_one_of(llm.chat(conversation("user")).message.content, replies["first"]),
        "stream": stream,
        "several turns": lambda: assert_one_of(
            llm.chat(conversation("user", "assistant", "user")).message.content, replies["again"]
        ),
        "tool over two turns": lambda: loop.run_until_complete(converse(False)),
        "streamed tool over two turns": lambda: loop.run_until_complete(converse(True)),
    }
