"""Requests with every field there is, so that every parser comes to everything it can read."""

from typing import Any

Body = dict[str, Any]

PICTURE = "iVBORw0KGgo="
SCHEMA: Body = {"type": "object", "properties": {"city": {"type": "string"}}}

GENERATE: list[Body] = [
    {
        "model": "m",
        "prompt": "p",
        "suffix": "s",
        "system": "y",
        "template": "t",
        "context": [1],
        "stream": True,
        "raw": False,
        "format": "json",
        "keep_alive": 1,
        "images": [PICTURE],
        "options": {"seed": 1},
        "think": True,
        "truncate": True,
        "shift": True,
        "logprobs": True,
        "top_logprobs": 1,
        "_debug_render_only": False,
    }
]

OLLAMA_TOOL: Body = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
OLLAMA_CHAT: list[Body] = [
    {
        "model": "m",
        "messages": [
            {"role": "user", "content": "c", "images": [PICTURE]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "t",
                "tool_calls": [{"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"city": "x"}}}],
            },
            {"role": "tool", "content": "r", "tool_name": "f", "tool_call_id": "call_1"},
        ],
        "tools": [OLLAMA_TOOL],
        "stream": True,
        "format": SCHEMA,
        "keep_alive": "5m",
        "options": {"seed": 1},
        "think": "low",
        "truncate": True,
        "shift": True,
        "logprobs": True,
        "top_logprobs": 1,
        "_debug_render_only": False,
    }
]

EMBED: list[Body] = [
    {"model": "m", "input": ["a"], "truncate": True, "dimensions": 1, "keep_alive": 1, "options": {"seed": 1}}
]
EMBEDDINGS: list[Body] = [{"model": "m", "prompt": "a", "keep_alive": 1, "options": {"seed": 1}}]

OPENAI_FUNCTION: Body = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
OPENAI_SAMPLING: Body = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 1,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "stop": ["s"],
    "n": 1,
    "user": "u",
}
_HI: Body = {"role": "user", "content": "Hi"}
_TOOLS: list[Body] = [{"type": "function", "function": OPENAI_FUNCTION}]
_NAMED: Body = {"type": "function", "function": {"name": "f"}}
OPENAI_CHAT: list[Body] = [
    {
        **OPENAI_SAMPLING,
        "messages": [
            {
                "role": "user",
                "name": "ann",
                "content": [
                    {"type": "text", "text": "t"},
                    {"type": "refusal", "refusal": "r"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "reasoning": "t",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "assistant", "content": None, "refusal": "no", "reasoning_content": "t"},
        ],
        "tools": _TOOLS,
        "tool_choice": _NAMED,
        "parallel_tool_calls": False,
        "max_tokens": 1,
        "max_completion_tokens": 1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
        },
        "reasoning": {"effort": "low"},
        "reasoning_effort": "low",
        "logprobs": True,
        "top_logprobs": 1,
        "logit_bias": {"1": 1},
        "store": False,
        "metadata": {"a": "b"},
        "modalities": ["text"],
        "audio": {},
    },
    {
        "model": "m",
        "messages": [_HI],
        "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
        "keep_alive": 1,
        "options": {"seed": 1},
        "top_k": 1,
        "min_p": 0.5,
        "repeat_penalty": 0.5,
        "repetition_penalty": 0.5,
        "web_search_options": None,
    },
    {"model": "m", "messages": [_HI], "functions": [OPENAI_FUNCTION], "function_call": {"name": "f"}},
    {
        "model": "m",
        "messages": [_HI],
        "tools": _TOOLS,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [_NAMED]}},
    },
]
COMPLETION: list[Body] = [
    {
        **OPENAI_SAMPLING,
        "prompt": ["a"],
        "suffix": "",
        "max_tokens": 1,
        "echo": True,
        "best_of": 1,
        "logit_bias": {"1": 1},
        "keep_alive": 1,
        "options": {"seed": 1},
        "top_k": 1,
        "min_p": 0.5,
        "repeat_penalty": 0.5,
        "repetition_penalty": 0.5,
    },
    {"model": "m", "prompt": "a", "logprobs": 1},
]
OPENAI_EMBEDDINGS: list[Body] = [{"model": "m", "input": "a", "dimensions": 1, "encoding_format": "float", "user": "u"}]

_TOOL_DETAILS: Body = {"input_examples": [{"city": "x"}], "allowed_callers": ["direct"], "defer_loading": False}
_PICTURE_BLOCK: Body = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
ANTHROPIC_COUNT: list[Body] = [
    {
        "model": "m",
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "t"}, _PICTURE_BLOCK]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "redacted_thinking", "data": "d"},
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"city": "x"}},
                    {"type": "tool_use", "id": "2", "name": "f", "input": {"city": "x"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": "r", "is_error": True},
                    {
                        "type": "tool_result",
                        "tool_use_id": "2",
                        "content": [{"type": "text", "text": "t"}, _PICTURE_BLOCK],
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "data": "d", "media_type": "text/plain"},
                        "title": "t",
                        "context": "c",
                        "citations": {"enabled": False},
                    },
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", "text": "t"}, _PICTURE_BLOCK]},
                    },
                    {
                        "type": "search_result",
                        "source": "s",
                        "title": "t",
                        "content": [{"type": "text", "text": "t"}],
                        "citations": {"enabled": False},
                    },
                ],
            },
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA, "type": "custom", **_TOOL_DETAILS}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "output_format": {"type": "json_schema", "schema": SCHEMA},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "speed": "standard",
    },
    {
        "model": "m",
        "messages": [_HI],
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        "output_format": {"type": "json_schema", "schema": SCHEMA},
    },
]
ANTHROPIC_MESSAGES: list[Body] = [
    {
        **ANTHROPIC_COUNT[0],
        "max_tokens": 1,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 1,
        "stop_sequences": ["s"],
        "metadata": {"user_id": "u"},
    },
    {**ANTHROPIC_COUNT[1], "max_tokens": 1},
]

_RESPONSES_FUNCTION: Body = {"type": "function", **OPENAI_FUNCTION}
RESPONSES: list[Body] = [
    {
        "model": "m",
        "input": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "user",
                "status": "completed",
                "content": [
                    {"type": "input_text", "text": "t"},
                    {"type": "refusal", "refusal": "r"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}]},
            {"type": "reasoning", "encrypted_content": "t"},
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "1",
                "name": "f",
                "namespace": "n",
                "arguments": "{}",
            },
            {
                "type": "function_call_output",
                "id": "fo_1",
                "call_id": "1",
                "output": [
                    {"type": "input_text", "text": "t"},
                    {"type": "refusal", "refusal": "r"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"},
                ],
            },
            {"type": "item_reference", "id": "msg_0"},
        ],
        "previous_response_id": "resp_0",
        "instructions": "i",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": True,
        "max_output_tokens": 1,
        "temperature": 0.5,
        "top_p": 0.5,
        "top_logprobs": 1,
        "include": ["message.output_text.logprobs"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        "tools": [
            _RESPONSES_FUNCTION,
            {"type": "namespace", "name": "n", "description": "d", "tools": [_RESPONSES_FUNCTION]},
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "truncation": "auto",
        "metadata": {"a": "b"},
        "max_tool_calls": 1,
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "service_tier": "auto",
    },
    {
        "model": "m",
        "input": "Hi",
        "tools": [_RESPONSES_FUNCTION],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    },
]

DIGEST = "sha256:" + "a" * 64
CREATE: list[Body] = [
    {
        "model": "m",
        "name": "m",
        "stream": True,
        "from": "base",
        "files": {"a.gguf": DIGEST},
        "adapters": {"b.gguf": DIGEST},
        "draft_files": {"c.gguf": DIGEST},
        "quantize": "q8_0",
        "quantization": "q8_0",
        "draft_quantize": "q8_0",
        "template": "{{ .Prompt }}",
        "license": ["l"],
        "system": "s",
        "parameters": {"seed": 1},
        "messages": [{"role": "user", "content": "c"}],
        "renderer": "",
        "parser": "",
        "requires": "",
        "info": {
            "capabilities": ["tools"],
            "model_family": "f",
            "base_name": "b",
            "quantization_level": "q",
            "parameter_size": "1B",
            "context_length": 1,
            "embedding_length": 1,
        },
        "remote_host": "",
    },
    {"name": "m", "from": "base", "license": "l", "quantization": "q8_0"},
]
SHOW: list[Body] = [
    {"name": "m"},
    {"model": "m", "name": "m", "verbose": True, "system": "s", "options": {"seed": 1}},
]
COPY: list[Body] = [{"source": "a", "destination": "b"}]
DELETE: list[Body] = [{"model": "m", "name": "m"}, {"name": "m"}]
TRANSFER: list[Body] = [{"model": "m", "name": "m", "insecure": True, "stream": True}, {"name": "m"}]
KEY: list[Body] = [{"name": "ann", "role": "user", "ssh_public_key": "", "summarize": True}]
KEY_RESTORE: list[Body] = [{"keys": {}, "replace": True}]
