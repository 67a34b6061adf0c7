"""What a server of Klisk's says of itself: a workspace is the project, its first action the agent."""

from libs.contracts import actions
from services.gateway.dialects.klisk import wire


def reply(workspace: str, agent: actions.Action | None, *, auth_required: bool) -> wire.Info:
    name = agent.name if agent else None
    deploy = wire.Deploy(wire.Chat(title=name or workspace))
    return wire.Info(workspace, name, auth_required, deploy)
