"""The gateway with the openai package's helpers: structured output, and a tool call with its result."""

from typing import Literal

import openai
import pydantic


class Judgement(pydantic.BaseModel):
    polite: bool


class SetUnit(pydantic.BaseModel):
    """Sets the unit of temperatures."""

    unit: Literal["celsius", "fahrenheit"]


def helpers(client, model, choice):
    """Runs each helper on a buffered response and on a stream. `choice` is OpenAI's `tool_choice`."""

    def buffered(**options):
        return client.chat.completions.parse(model=model, **options)

    def streamed(**options):
        with client.chat.completions.stream(model=model, **options) as stream:
            return stream.get_final_completion()

    senders = {"buffered": buffered, "streamed": streamed}
    return {name: {"parsed": parse(send), "tool": call_tool(send, choice)} for name, send in senders.items()}


def parse(send):
    completion = send(messages=[{"role": "user", "content": "Is hello polite?"}], response_format=Judgement)
    return completion.choices[0].message.parsed.model_dump()


def call_tool(send, choice):
    """Has the model call a tool, sends the result as a tool message, and returns call and final response."""
    question = {"role": "user", "content": "Use celsius."}
    tools = [openai.pydantic_function_tool(SetUnit)]
    calling = send(messages=[question], tools=tools, tool_choice=choice).choices[0]
    [call] = calling.message.tool_calls
    unit = call.function.parsed_arguments.unit
    result = {"role": "tool", "tool_call_id": call.id, "content": f"The unit is {unit} now."}
    final = send_short(send, messages=[question, calling.message, result], tools=tools)
    return {
        "name": call.function.name,
        "unit": unit,
        "reasons": [calling.finish_reason, final.finish_reason],
        "content": final.message.content or "",
        "calls": len(final.message.tool_calls or []),
    }


def send_short(send, **options):
    """Limits the tokens, as a small model may not stop. The helpers raise an error then, which has the completion."""
    try:
        return send(max_completion_tokens=16, **options).choices[0]
    except openai.LengthFinishReasonError as error:
        return error.completion.choices[0]
