"""Builds the syntax tree of a Go template, refusing what Go refuses: unknown functions, undefined variables.

Source: Go `text/template/parse/parse.go`.
"""

from collections.abc import Set as AbstractSet
from typing import Final

from services.worker.chat_template import go_ast as ast
from services.worker.chat_template.go_lexer import Kind, Token, tokens
from shared.errors import ParameterInvalid

NESTING_MAX: Final = 50
_INT64_MAX: Final = 2**63 - 1
_RESERVED: Final = frozenset({"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"})
_OPERAND_ENDS: Final = frozenset({Kind.CLOSE, Kind.RIGHT_PAREN, Kind.PIPE})


def parse(source: str, functions: AbstractSet[str]) -> ast.Template:
    """Raises: ParameterInvalid, naming the line."""
    return _Parser(source, functions).template()


class _Parser:
    def __init__(self, source: str, functions: AbstractSet[str]) -> None:
        self._tokens = tokens(source)
        self._position = 0
        self._functions = functions
        self._definitions: dict[str, ast.Nodes] = {}
        self._variables = ["$"]
        self._ranges_open = 0
        self._nesting = 0

    def template(self) -> ast.Template:
        nodes, end = self._list(at_top=True)
        if end.kind is not Kind.END:
            raise self._error(f"unexpected {{{{{end.value}}}}}", end)
        return ast.Template(nodes, self._definitions)

    def _list(self, *, at_top: bool = False) -> tuple[ast.Nodes, Token]:
        """Nodes up to `{{else` or `{{end`, whose word is returned and consumed, or to the end of the source."""
        nodes: list[ast.Node] = []
        while True:
            token = self._next()
            if token.kind is Kind.END:
                return tuple(nodes), token
            if token.kind is Kind.TEXT:
                nodes.append(ast.Text(token.value))
                continue
            word = self._peek()
            if word.kind is Kind.WORD and word.value in ("else", "end"):
                return tuple(nodes), self._next()
            if word.kind is Kind.WORD and word.value == "define":
                if not at_top:
                    raise self._error("unexpected {{define}}", word)
                self._define()
            else:
                nodes.append(self._action(word))

    def _action(self, word: Token) -> ast.Node:
        if word.kind is Kind.WORD and word.value in _RESERVED:
            self._next()
            match word.value:
                case "if" | "with" | "range":
                    return self._block(word)
                case "break" | "continue":
                    return self._loop_exit(word)
                case "template":
                    return self._call(word)
                case _:
                    return self._block_definition(word)
        pipeline = self._pipeline(Kind.CLOSE)
        return ast.Output(pipeline, word.line)

    def _block(self, word: Token) -> ast.Block:
        """`if`, `with` or `range`, from after its word to its `{{end}}`."""
        self._enter(word)
        variables_before = len(self._variables)
        is_range = word.value == "range"
        head = self._pipeline(Kind.CLOSE, variables_max=2 if is_range else 1)
        self._ranges_open += is_range
        body, end = self._list()
        self._ranges_open -= is_range
        otherwise: ast.Nodes = ()
        if end.value == "else":
            otherwise = self._else(word)
        elif end.kind is Kind.END:
            raise self._error(f"{{{{{word.value}}}}} has no {{{{end}}}}", word)
        else:
            self._expect(Kind.CLOSE)
        del self._variables[variables_before:]
        self._nesting -= 1
        return _block_type(word.value)(head, body, otherwise, word.line)

    def _else(self, opener: Token) -> ast.Nodes:
        """What follows the word `else`; `else if` is a block of its own that shares the one `{{end}}`."""
        word = self._next()
        if word.kind is Kind.WORD and word.value in ("if", "with") and word.value == opener.value:
            return (self._block(word),)
        if word.kind is not Kind.CLOSE:
            raise self._error(f"unexpected {word.value!r} after else", word)
        nodes, end = self._list()
        if end.value != "end" or end.kind is Kind.END:
            raise self._error(f"{{{{{opener.value}}}}} has no {{{{end}}}}", opener)
        self._expect(Kind.CLOSE)
        return nodes

    def _loop_exit(self, word: Token) -> ast.Node:
        if not self._ranges_open:
            raise self._error(f"{{{{{word.value}}}}} outside {{{{range}}}}", word)
        self._expect(Kind.CLOSE)
        return ast.Break() if word.value == "break" else ast.Continue()

    def _call(self, word: Token) -> ast.Call:
        name = self._expect(Kind.STRING).value
        if self._peek().kind is Kind.CLOSE:
            self._next()
            return ast.Call(name, None, word.line)
        return ast.Call(name, self._pipeline(Kind.CLOSE), word.line)

    def _define(self) -> None:
        word = self._next()
        name = self._expect(Kind.STRING).value
        self._expect(Kind.CLOSE)
        self._definition(name, word)

    def _block_definition(self, word: Token) -> ast.Call:
        """`{{block "name" pipeline}}` defines a template and executes it on the spot."""
        name = self._expect(Kind.STRING).value
        argument = self._pipeline(Kind.CLOSE)
        self._definition(name, word)
        return ast.Call(name, argument, word.line)

    def _definition(self, name: str, word: Token) -> None:
        """Read a body in which only `$` is known; an empty one never replaces what was defined before."""
        self._enter(word)
        outer = self._variables, self._ranges_open
        self._variables, self._ranges_open = ["$"], 0
        nodes, end = self._list()
        if end.value != "end" or end.kind is Kind.END:
            raise self._error(f"{{{{{word.value}}}}} has no {{{{end}}}}", word)
        self._expect(Kind.CLOSE)
        self._variables, self._ranges_open = outer
        self._nesting -= 1
        is_empty = all(isinstance(node, ast.Text) and not node.text.strip() for node in nodes)
        if name not in self._definitions or not is_empty:
            self._definitions[name] = nodes

    def _pipeline(self, closing: Kind, *, variables_max: int = 1) -> ast.Pipeline:
        """Read up to and including `closing`; declared variables are known from here on."""
        names, assigns = self._targets(variables_max)
        commands = [self._command()]
        while (token := self._next()).kind is Kind.PIPE:
            commands.append(self._command())
            if isinstance(commands[-1][0], ast.Literal):
                raise self._error("a value cannot receive a pipeline", token)
        if token.kind is not closing:
            raise self._error(f"unexpected {token.value!r}", token)
        if not assigns:
            self._variables.extend(names)
        return ast.Pipeline(tuple(commands), names, assigns)

    def _targets(self, variables_max: int) -> tuple[tuple[str, ...], bool]:
        """Variables before `:=` or `=`, if the pipeline starts with them."""
        start = self._position
        names: list[str] = []
        while self._peek().kind is Kind.VARIABLE:
            names.append(self._next().value)
            token = self._next()
            if token.kind in (Kind.DECLARE, Kind.ASSIGN) and len(names) <= variables_max:
                if token.kind is Kind.ASSIGN:
                    for name in names:
                        self._require_variable(name, token)
                return tuple(names), token.kind is Kind.ASSIGN
            if token.kind is not Kind.COMMA:
                break
        self._position = start
        return (), False

    def _command(self) -> tuple[ast.Operand, ...]:
        operands: list[ast.Operand] = []
        while (token := self._peek()).kind not in _OPERAND_ENDS:
            if operands and not token.spaced:
                raise self._error(f"unexpected {token.value!r} in operand", token)
            operands.append(self._operand())
        if not operands:
            raise self._error("missing value", token)
        return tuple(operands)

    def _operand(self) -> ast.Operand:
        base = self._term()
        names: list[str] = []
        while self._peek().kind is Kind.FIELD and not self._peek().spaced:
            names.append(self._next().value)
        if not names:
            return base
        if isinstance(base, ast.Literal | ast.Dot):
            raise self._error(f"unexpected .{names[0]}", self._peek())
        if isinstance(base, ast.Fields):
            return ast.Fields(base.base, (*base.names, *names))
        return ast.Fields(base, tuple(names))

    def _term(self) -> ast.Operand:
        token = self._next()
        match token.kind:
            case Kind.FIELD:
                return ast.Fields(ast.Dot(), (token.value,))
            case Kind.DOT:
                return ast.Dot()
            case Kind.VARIABLE:
                self._require_variable(token.value, token)
                return ast.Variable(token.value)
            case Kind.STRING:
                return ast.Literal(token.value)
            case Kind.CHAR | Kind.NUMBER:
                return ast.Literal(self._number(token))
            case Kind.WORD:
                return self._word(token)
            case Kind.LEFT_PAREN:
                self._enter(token)
                pipeline = self._pipeline(Kind.RIGHT_PAREN)
                self._nesting -= 1
                return pipeline
            case _:
                raise self._error(f"unexpected {token.value or 'end of the template'!r}", token)

    def _word(self, token: Token) -> ast.Operand:
        if token.value in ("true", "false", "nil"):
            return ast.Literal({"true": True, "false": False, "nil": None}[token.value])
        if token.value in _RESERVED:
            raise self._error(f"unexpected {{{{{token.value}}}}}", token)
        if token.value not in self._functions:
            raise self._error(f'function "{token.value}" not defined', token)
        return ast.Function(token.value)

    def _number(self, token: Token) -> int | float:
        """A character counts as its code, as Go's runes do."""
        if token.kind is Kind.CHAR:
            if len(token.value) != 1:
                raise self._error("malformed character constant", token)
            return ord(token.value)
        text = token.value.lower()
        try:
            number = int(text, 0) if _is_whole(text) else float(text)
        except ValueError as cause:
            raise self._error(f"bad number syntax: {token.value[:40]!r}", token) from cause
        if isinstance(number, int) and not -_INT64_MAX <= number <= _INT64_MAX:
            raise self._error("integer overflow", token)
        return number

    def _require_variable(self, name: str, token: Token) -> None:
        if name not in self._variables:
            raise self._error(f'undefined variable "{name}"', token)

    def _enter(self, token: Token) -> None:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise self._error("nested too deeply", token)

    def _expect(self, kind: Kind) -> Token:
        token = self._next()
        if token.kind is not kind:
            raise self._error(f"unexpected {token.value or 'end of the template'!r}", token)
        return token

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._tokens[self._position]
        if token.kind is not Kind.END:
            self._position += 1
        return token

    def _error(self, problem: str, token: Token) -> ParameterInvalid:
        return ParameterInvalid(f"template: line {token.line}: {problem}")


def _block_type(word: str) -> type[ast.If] | type[ast.With] | type[ast.Range]:
    match word:
        case "if":
            return ast.If
        case "with":
            return ast.With
        case _:
            return ast.Range


def _is_whole(text: str) -> bool:
    return text.lstrip("+-").startswith(("0x", "0b", "0o")) or not any(sign in text for sign in ".e")
