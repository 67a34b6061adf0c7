"""Does with LangChain's OpenAI package what it is told: a call on each line of the input, what came of it on each line
of the output. {"call": "chat", "args": [...], "kwargs": {...}} is answered with {"value": ...} or {"error", "message"}.

Each call is what a program does with the package, over chat completions or, with `use_responses_api`, responses. Runs
in an environment of its own.
"""

import importlib
import json
import sys
from functools import reduce
from operator import add

package, messages = importlib.import_module("langchain_openai"), importlib.import_module("langchain_core.messages")

WEATHER = {
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CITY = {"title": "City", "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def chat(question, **settings):
    answer = package.ChatOpenAI(max_retries=0, **settings).invoke(question)
    return {"text": answer.text, "usage": answer.usage_metadata}


def logprobs(question, **settings):
    return package.ChatOpenAI(max_retries=0, **settings).invoke(question).response_metadata["logprobs"]["content"]


def stream(question, **settings):
    chunks = list(package.ChatOpenAI(max_retries=0, stream_usage=True, **settings).stream(question))
    whole = reduce(add, chunks)
    return {"text": whole.text, "pieces": len(chunks), "usage": whole.usage_metadata}


def agent(question, result, **settings):
    """One round of a tool."""
    model = package.ChatOpenAI(max_retries=0, **settings).bind_tools([WEATHER])
    asked = ("user", question)
    calling = model.invoke([asked])
    [call] = calling.tool_calls
    answer = model.invoke([asked, calling, messages.ToolMessage(result, tool_call_id=call["id"])])
    return {"arguments": call["args"], "text": answer.text}


def structured(question, **settings):
    return (
        package.ChatOpenAI(max_retries=0, **settings)
        .with_structured_output(CITY, method="json_schema")
        .invoke(question)
    )


def embed(texts, **settings):
    """`check_embedding_ctx_length=False`: texts are sent as they are, and not as another model's tokens."""
    return package.OpenAIEmbeddings(check_embedding_ctx_length=False, **settings).embed_documents(texts)


CALLS = {call.__name__: call for call in (chat, logprobs, stream, agent, structured, embed)}


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"value": CALLS[asked["call"]](*asked["args"], **asked["kwargs"])}
        except Exception as error:  # a client's failure is an answer like any other
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer, default=str), flush=True)


main()
