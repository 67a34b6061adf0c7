"""Rendering of templates: plain ones at once, Jinja2 ones in the sandbox."""

from typing import Any

from libs.contracts.faults import Code, Fault
from services.runner import sandbox
from services.runner.prompting import templates
from services.runner.prompting.templates import Template
from services.runner.sandbox.parent import Child


class Renderer:
    def __init__(self) -> None:
        self._child = Child()

    async def render(self, template: Template, values: dict[str, Any]) -> str:
        """Raises Fault INVALID for a missing variable, and for a template that breaks a rule or a limit."""
        if template.plain:
            return template.fill(values)
        match await self._child.ask(sandbox.Render(template.source, values)):
            case sandbox.Rendered(text):
                return text
            case sandbox.Missing(name):
                raise templates.missing(name)
            case answer:
                raise _refused(answer)

    async def names(self, template: Template) -> tuple[str, ...]:
        """The template's variables. Raises Fault INVALID where it is not well formed."""
        if template.plain:
            return template.names
        match await self._child.ask(sandbox.Names(template.source)):
            case sandbox.Named(names):
                return tuple(names)
            case answer:
                raise _refused(answer)

    async def close(self) -> None:
        await self._child.close()


def _refused(answer: sandbox.Answered) -> Fault:
    reason = answer.reason if isinstance(answer, sandbox.Refused) else "it has no answer"
    return Fault(Code.INVALID, f"The template can't be rendered: {reason.rstrip('.')}.", field="prompt")
