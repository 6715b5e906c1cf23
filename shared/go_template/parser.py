"""Builds the syntax tree of a Go template, refusing what Go refuses, in Go's words.

Left out: complex numbers. Added: limits to nesting and to the number of variables.
Source: Go `text/template/parse/parse.go`.
"""

from typing import Final

from shared.errors import TemplateInvalid
from shared.go_template import ast
from shared.go_template.functions import NAMES
from shared.go_template.lexer import Kind, Token, tokens
from shared.go_template.numbers import NumberInvalid, number_of
from shared.go_template.quoting import quoted, unquoted, whole
from shared.template_budget import check_source

NESTING_MAX: Final = 50
"""Blocks and parentheses within each other."""
VARIABLES_MAX: Final = 256
"""Variables declared at one place in the source."""

_KEYWORDS: Final = frozenset(
    {"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue", "nil"}
)
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}
_ENDS: Final = frozenset({Kind.CLOSE, Kind.RIGHT_PAREN})
_STARTS: Final = frozenset(
    {Kind.FIELD, Kind.VARIABLE, Kind.WORD, Kind.STRING, Kind.CHAR, Kind.NUMBER, Kind.DOT, Kind.LEFT_PAREN}
)


def parse_template(source: str) -> ast.Template:
    """Raises: TemplateInvalid with Go's text, which names the line."""
    check_source(source)
    return _Parser(whole(source)).template()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._position = 0
        self._definitions: dict[str, ast.Nodes] = {}
        self._variables = ["$"]
        self._ranges_open = 0
        self._nesting = 0
        self._action_line = 0

    def template(self) -> ast.Template:
        nodes, _ = self._list(at_top=True)
        unnamed = self._definitions.pop("", ())
        if not _is_empty(nodes) and not _is_empty(unnamed):
            raise self._error('template: multiple definition of template ""', self._peek())
        return ast.Template(nodes if _is_empty(unnamed) else unnamed, self._definitions, self._source)

    def _list(self, *, at_top: bool = False) -> tuple[ast.Nodes, str]:
        """Nodes up to the `end` or `else` action, whose word is returned; at the top, up to the end of the source."""
        nodes: list[ast.Node] = []
        while True:
            token = self._next()
            if token.kind is Kind.END and at_top:
                return tuple(nodes), ""
            if token.kind is Kind.TEXT:
                nodes.append(ast.Text(token.value))
            elif token.kind is not Kind.OPEN:
                raise (
                    self._error("unexpected EOF", token) if token.kind is Kind.END else self._unexpected(token, "input")
                )
            elif (word := self._peek()).kind is Kind.WORD and word.value in ("else", "end"):
                self._list_end(word, at_top=at_top)
                return tuple(nodes), word.value
            elif at_top and word.kind is Kind.WORD and word.value == "define":
                self._define()
            else:
                self._action_line = word.line
                nodes.append(self._action(word))

    def _list_end(self, word: Token, *, at_top: bool) -> None:
        """Consume `end` or `else`; the word after `else if` and `else with` is left."""
        self._next()
        if word.value == "end" or not self._is_word("if", "with"):
            self._expect(word.value, Kind.CLOSE)
        if at_top:
            raise self._error(f"unexpected {{{{{word.value}}}}}", word)

    def _action(self, word: Token) -> ast.Node:
        keyword = word.value if word.kind is Kind.WORD else ""
        if keyword not in ("if", "with", "range", "break", "continue", "template", "block"):
            return ast.Output(self._pipeline("command", Kind.CLOSE))
        self._next()
        match keyword:
            case "if":
                return ast.If(*self._branches(word))
            case "with":
                return ast.With(*self._branches(word))
            case "range":
                return self._range(word)
            case "template":
                return self._call()
            case "block":
                return self._block(word)
        return self._loop_exit(word)

    def _branches(self, word: Token) -> tuple[tuple[ast.Branch, ...], ast.Nodes]:
        """`if` or `with` from after the word to its `end`: every condition with its body, and what is otherwise."""
        self._enter(word)
        variables_before = len(self._variables)
        branches: list[ast.Branch] = []
        otherwise: ast.Nodes = ()
        while True:
            condition = self._pipeline(word.value, Kind.CLOSE)
            body, end = self._list()
            branches.append(ast.Branch(condition, body))
            if end == "end":
                break
            if not self._is_word(word.value):
                otherwise = self._otherwise()
                break
            self._next()
        del self._variables[variables_before:]
        self._nesting -= 1
        return tuple(branches), otherwise

    def _range(self, word: Token) -> ast.Range:
        self._enter(word)
        variables_before = len(self._variables)
        items = self._pipeline("range", Kind.CLOSE)
        self._ranges_open += 1
        body, end = self._list()
        self._ranges_open -= 1
        otherwise = self._otherwise() if end == "else" else ()
        del self._variables[variables_before:]
        self._nesting -= 1
        return ast.Range(items, body, otherwise)

    def _otherwise(self) -> ast.Nodes:
        nodes, end = self._list()
        if end != "end":
            raise self._error(f"expected end; found {{{{{end}}}}}", self._peek())
        return nodes

    def _loop_exit(self, word: Token) -> ast.Node:
        self._expect(f"{{{{{word.value}}}}}", Kind.CLOSE)
        if not self._ranges_open:
            raise self._error(f"{{{{{word.value}}}}} outside {{{{range}}}}", word)
        return ast.Break() if word.value == "break" else ast.Continue()

    def _call(self) -> ast.Call:
        context = "template clause"
        token = self._expect(context, Kind.STRING)
        name = self._text(token)
        argument: ast.Pipeline | None = None
        if self._peek().kind is Kind.CLOSE:
            self._next()
        else:
            argument = self._pipeline(context, Kind.CLOSE)
        return ast.Call(name, argument, (token.start, token.end))

    def _define(self) -> None:
        word = self._next()
        context = "define clause"
        name = self._text(self._expect(context, Kind.STRING))
        self._expect(context, Kind.CLOSE)
        self._definition(name, word, context)

    def _block(self, word: Token) -> ast.Call:
        """`{{block "name" pipeline}}` defines a template and executes it on the spot."""
        context = "block clause"
        token = self._expect(context, Kind.STRING)
        name = self._text(token)
        argument = self._pipeline(context, Kind.CLOSE)
        self._definition(name, word, context)
        return ast.Call(name, argument, (token.start, token.end))

    def _definition(self, name: str, word: Token, context: str) -> None:
        """Read a body in which only `$` is known; an empty one never replaces what was defined before."""
        self._enter(word)
        outer = self._variables, self._ranges_open
        self._variables, self._ranges_open = ["$"], 0
        nodes, end = self._list()
        if end != "end":
            raise self._error(f"unexpected {{{{{end}}}}} in {context}", self._peek())
        self._variables, self._ranges_open = outer
        self._nesting -= 1
        if _is_empty(self._definitions.get(name, ())):
            self._definitions[name] = nodes
        elif not _is_empty(nodes):
            raise self._error(f"template: multiple definition of template {quoted(name)}", self._peek())

    def _pipeline(self, context: str, closing: Kind) -> ast.Pipeline:
        """Read up to and including `closing`; variables named before `:=` or `=` are known from here on."""
        start = self._peek().start
        names, assigns = self._targets(context)
        commands: list[ast.Command] = []
        while (token := self._peek()).kind is not closing:
            if token.kind not in _STARTS or (token.value in _KEYWORDS and token.value != "nil"):
                raise self._unexpected(token, context)
            commands.append(self._command())
        span = self._span(start)
        self._next()
        if not commands:
            raise self._error(f"missing value for {context}", token)
        for stage, command in enumerate(commands[1:], start=2):
            if isinstance(command.operands[0], ast.Literal | ast.Dot):
                raise self._error(f"non executable command in pipeline stage {stage}", token)
        return ast.Pipeline(tuple(commands), names, assigns, span)

    def _targets(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Variables before `:=` or `=`, if the pipeline starts with them."""
        names: list[str] = []
        while (variable := self._peek()).kind is Kind.VARIABLE:
            following = self._tokens[self._position + 1]
            is_comma = following.kind is Kind.PUNCTUATION and following.value == ","
            if not is_comma and following.kind not in (Kind.DECLARE, Kind.ASSIGN):
                break
            self._position += 2
            names.append(variable.value)
            self._variables.append(variable.value)
            if len(self._variables) > VARIABLES_MAX:
                raise self._error("too many variables", variable)
            if not is_comma:
                return tuple(names), following.kind is Kind.ASSIGN
            if context != "range" or len(names) > 1:
                raise self._error(f"too many declarations in {context}", following)
            if self._peek().kind not in (Kind.VARIABLE, *_ENDS):
                raise self._error("range can only initialize variables", self._peek())
        return tuple(names), False

    def _command(self) -> ast.Command:
        """Operands up to `|`, which is consumed, or to what ends the pipeline, which is not."""
        start = self._peek().start
        operands = [self._operand()]
        while (token := self._peek()).kind not in _ENDS and token.kind is not Kind.PIPE:
            is_operand = token.kind in _STARTS and (token.value not in _KEYWORDS or token.value == "nil")
            if not token.spaced or not is_operand:
                raise self._unexpected(token, "operand")
            operands.append(self._operand())
        span = self._span(start)
        if token.kind is Kind.PIPE:
            self._next()
        return ast.Command(tuple(operands), span)

    def _operand(self) -> ast.Operand:
        start = self._peek().start
        base = self._term()
        names: list[str] = []
        while self._peek().kind is Kind.FIELD and not self._peek().spaced:
            names.append(self._next().value[1:])
        if not names:
            return base
        span = self._span(start)
        if isinstance(base, ast.Literal | ast.Dot):
            term = self._source[start : span[1]].removesuffix("." + ".".join(names))
            raise self._error(f"unexpected . after term {quoted(term)}", self._peek())
        if isinstance(base, ast.Fields):
            return ast.Fields(base.base, (*base.names, *names), span)
        return ast.Fields(base, tuple(names), span)

    def _term(self) -> ast.Operand:
        token = self._next()
        span = (token.start, token.end)
        match token.kind:
            case Kind.FIELD:
                return ast.Fields(ast.Dot(span), (token.value[1:],), span)
            case Kind.DOT:
                return ast.Dot(span)
            case Kind.VARIABLE:
                if token.value not in self._variables:
                    raise self._error(f"undefined variable {quoted(token.value)}", token)
                return ast.Variable(token.value, span)
            case Kind.STRING:
                return ast.Literal(self._text(token), span)
            case Kind.CHAR | Kind.NUMBER:
                return ast.Literal(self._number(token), span)
            case Kind.WORD if token.value in _CONSTANTS:
                return ast.Literal(_CONSTANTS[token.value], span)
            case Kind.WORD if token.value in NAMES:
                return ast.Function(token.value, span)
            case Kind.WORD:
                raise self._error(f"function {quoted(token.value)} not defined", token)
        assert token.kind is Kind.LEFT_PAREN, "callers look at the kind first"
        self._enter(token)
        pipeline = self._pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
        self._nesting -= 1
        return pipeline

    def _text(self, token: Token) -> str:
        meaning = unquoted(token.value)
        if meaning is None:
            raise self._error("invalid syntax", token)
        return meaning

    def _number(self, token: Token) -> int | float:
        try:
            return number_of(token.value)
        except NumberInvalid as problem:
            raise self._error(str(problem), token) from None

    def _enter(self, token: Token) -> None:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise self._error("max expression depth exceeded", token)

    def _expect(self, context: str, kind: Kind) -> Token:
        token = self._next()
        if token.kind is not kind:
            raise self._unexpected(token, context)
        return token

    def _is_word(self, *words: str) -> bool:
        token = self._peek()
        return token.kind is Kind.WORD and token.value in words

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        """The next token; the last one comes again and again."""
        token = self._tokens[self._position]
        if token.kind is Kind.CLOSE:
            self._action_line = 0
        if self._position + 1 < len(self._tokens):
            self._position += 1
        return token

    def _span(self, start: int) -> ast.Span:
        """From `start` to the end of the token that was read last."""
        return start, self._tokens[self._position - 1].end

    def _unexpected(self, token: Token, context: str) -> TemplateInvalid:
        if token.kind is not Kind.ERROR:
            return self._error(f"unexpected {_shown(token)} in {context}", token)
        began = f" in action started at :{self._action_line}" if 0 < self._action_line != token.line else ""
        if token.value.endswith(" action"):
            began = began.removeprefix(" in action")
        return self._error(token.value + began, token)

    def _error(self, problem: str, token: Token) -> TemplateInvalid:
        return TemplateInvalid(f"template: :{token.line}: {problem}")


def _is_empty(nodes: ast.Nodes) -> bool:
    return all(isinstance(node, ast.Text) and not node.text.strip() for node in nodes)


def _shown(token: Token) -> str:
    """A token as Go's messages name it."""
    if token.kind is Kind.END:
        return "EOF"
    if token.kind is Kind.DOT or (token.kind is Kind.WORD and token.value in _KEYWORDS):
        return f"<{token.value}>"
    return quoted(token.value) if len(token.value) <= 10 else quoted(token.value[:10]) + "..."
