"""The language of Ollama's TEMPLATE: Go's `text/template` with the functions Ollama adds. Knows no model.

    template = parse_template(source)          # TemplateInvalid, in Go's words
    text = render(template, {"Prompt": "Hi"})  # TemplateFailed

`source` may be anything: parsing and rendering are bounded in depth, steps and text.
"""

from shared.errors import TemplateFailed, TemplateInvalid
from shared.go_template.ast import Template
from shared.go_template.evaluator import render
from shared.go_template.parser import parse_template

__all__ = ["Template", "TemplateFailed", "TemplateInvalid", "parse_template", "render"]
