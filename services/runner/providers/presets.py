"""Providers known by name: where they are served and which protocol they speak; models known by name: their window, and
whether they see images.
"""

import re
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault

# A model nobody has said anything about.
CONTEXT_WINDOW = 8192


class Preset(Struct, frozen=True):
    kind: str
    url: str
    needs_key: bool = True


_PRESETS = {
    "openai": Preset("openai", "https://api.openai.com/v1"),
    "anthropic": Preset("anthropic", "https://api.anthropic.com"),
    "mistral": Preset("openai", "https://api.mistral.ai/v1"),
    "groq": Preset("openai", "https://api.groq.com/openai/v1"),
    "together": Preset("openai", "https://api.together.xyz/v1"),
    "fireworks": Preset("openai", "https://api.fireworks.ai/inference/v1"),
    "deepseek": Preset("openai", "https://api.deepseek.com/v1"),
    "openrouter": Preset("openai", "https://openrouter.ai/api/v1"),
    "perplexity": Preset("openai", "https://api.perplexity.ai"),
    "xai": Preset("openai", "https://api.x.ai/v1"),
    "cohere": Preset("openai", "https://api.cohere.ai/compatibility/v1"),
    "google": Preset("openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "ollama": Preset("openai", "http://localhost:11434/v1", needs_key=False),
}

_HOSTS = {urlsplit(preset.url).hostname: name for name, preset in _PRESETS.items() if preset.needs_key}

# By the start of the name; the longest that fits counts.
_WINDOWS = {
    "gpt-3.5": 16_385,
    "gpt-4": 8_192,
    "gpt-4-turbo": 128_000,
    "gpt-4o": 128_000,
    "gpt-4.1": 1_047_576,
    "gpt-5": 400_000,
    "o1": 200_000,
    "o3": 200_000,
    "o4": 200_000,
    "claude": 200_000,
    "gemini": 1_048_576,
    "mistral": 32_768,
    "mistral-large": 131_072,
    "llama-3": 131_072,
    "deepseek": 65_536,
    "grok": 131_072,
    "command": 128_000,
}

# What shows in a model's name that it sees images, and what that it does not all the same.
_SEEING = (
    *("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-4-turbo", "gpt-5", "claude", "gemini", "gemma3", "gemma-3", "grok-4"),
    *("llama4", "llama-4", "mistral-small-3", "mistral-medium-3", "pixtral", "llava", "-vl", "vl:", "vision"),
    *("internvl", "minicpm-v", "moondream", "smolvlm"),
)
_BLIND = ("claude-2", "claude-instant", "embedding", "audio", "realtime", "transcribe", "tts")
# What shows in a model's name that it calls no tools.
_TOOLLESS = (
    *(
        "davinci",
        "babbage",
        "turbo-instruct",
        "o1-mini",
        "o1-preview",
        "claude-2",
        "claude-instant",
        "llama-2",
        "llama2",
    ),
    *("codellama", "tinyllama", "smollm", "gemma", "phi-2", "phi-3", "vicuna", "falcon"),
)
_REASONING = re.compile(r"o[134](-(?!mini|preview)|$)")


class Address(Struct, frozen=True):
    kind: str
    url: str


def address(name: str, url: str, key: str) -> Address:
    """Where the provider `name` is reached. Raises Fault INVALID where the name alone says too little."""
    preset = _PRESETS.get(_letters(name))
    if url:
        return Address(preset.kind if preset else _kind(name), _base(url))
    if preset is None:
        known = ", ".join(sorted(_PRESETS))
        raise Fault(Code.INVALID, f"{name!r} is none of the known providers ({known}): give its url.", field="url")
    if preset.needs_key and not key:
        raise Fault(Code.INVALID, f"{name} needs a key.", field="key")
    return Address(preset.kind, preset.url)


def listing(kind: str, url: str, key: str) -> tuple[str, dict[str, str]]:
    """Address and headers of the list of a provider's models, which costs nothing and needs the key."""
    if kind == "anthropic":
        return f"{url}/v1/models", {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return f"{url}/models", {"Authorization": f"Bearer {key}"}


def is_listing(body: bytes) -> bool:
    """Whether it is such a list, in any of the shapes in use."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(told.get("data", told.get("models")) if isinstance(told, dict) else told, list)


def known(name: str, url: str) -> str:
    """What a provider is called here: by its address, or else by its name's letters."""
    return _HOSTS.get(urlsplit(url).hostname) or _letters(name)


def _letters(name: str) -> str:
    """`Open AI` is openai, `MistralAI` mistral."""
    letters = re.sub("[^a-z]", "", name.lower())
    bare = letters.removesuffix("ai")
    return bare if letters not in _PRESETS and bare in _PRESETS else letters


def _kind(name: str) -> str:
    return "anthropic" if "anthropic" in name.lower() else "openai"


def _base(url: str) -> str:
    """The address without what the protocol adds to it. Raises Fault INVALID for what is no http address."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Fault(Code.INVALID, f"{url!r} is no http address.", field="url")
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1/messages")
    return f"{parts.scheme}://{parts.netloc}{path}"


def context_window(llm: str) -> int:
    name = llm.lower().rpartition("/")[2]
    fitting = [start for start in _WINDOWS if name.startswith(start)]
    return _WINDOWS[max(fitting, key=len)] if fitting else CONTEXT_WINDOW


def sees_images(llm: str) -> bool:
    """As far as a name tells."""
    name = llm.lower().rpartition("/")[2]
    if any(word in name for word in _BLIND):
        return False
    return any(word in name for word in _SEEING) or name.startswith("o4-mini") or bool(_REASONING.match(name))


def calls_tools(llm: str) -> bool:
    """As far as a name tells: most do."""
    name = llm.lower().rpartition("/")[2]
    return not any(word in name for word in _TOOLLESS)
