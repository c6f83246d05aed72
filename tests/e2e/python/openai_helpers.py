"""What openai's helpers make of the gateway's answers: structured output, and a tool that is called and answered."""

from typing import Literal

import openai
import pydantic


class Judgement(pydantic.BaseModel):
    polite: bool


class SetUnit(pydantic.BaseModel):
    """Sets the unit of temperatures."""

    unit: Literal["celsius", "fahrenheit"]


def helpers(client, model, choice):
    """Everything twice: whole, and put together from a stream. The choice is OpenAI's `tool_choice`."""

    def whole(**asked):
        return client.chat.completions.parse(model=model, **asked)

    def streamed(**asked):
        with client.chat.completions.stream(model=model, **asked) as stream:
            return stream.get_final_completion()

    forms = {"whole": whole, "streamed": streamed}
    return {name: {"parsed": parsed(ask), "tool": round_trip(ask, choice)} for name, ask in forms.items()}


def parsed(ask):
    answer = ask(messages=[{"role": "user", "content": "Is hello polite?"}], response_format=Judgement)
    return answer.choices[0].message.parsed.model_dump()


def round_trip(ask, choice):
    """The tool's call, its result as a tool message, and what the model says then."""
    question = {"role": "user", "content": "Use celsius."}
    tools = [openai.pydantic_function_tool(SetUnit)]
    asked = ask(messages=[question], tools=tools, tool_choice=choice).choices[0]
    [call] = asked.message.tool_calls
    unit = call.function.parsed_arguments.unit
    result = {"role": "tool", "tool_call_id": call.id, "content": f"The unit is {unit} now."}
    answer = ask_briefly(ask, messages=[question, asked.message, result], tools=tools)
    return {
        "name": call.function.name,
        "unit": unit,
        "reasons": [asked.finish_reason, answer.finish_reason],
        "answer": answer.message.content,
        "called again": len(answer.message.tool_calls or []),
    }


def ask_briefly(ask, **asked):
    """A small model goes on and on, and to the helpers a cut answer is an error, which has it."""
    try:
        return ask(max_completion_tokens=16, **asked).choices[0]
    except openai.LengthFinishReasonError as error:
        return error.completion.choices[0]
