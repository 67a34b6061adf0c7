"""The names of the built-in tools, and their ids, which never change."""

from uuid import UUID

IDS = {
    name: UUID(f"00000000-0000-7000-8000-{number:012}")
    for number, name in enumerate(
        ("search_context", "search_contacts", "get_contact", "list_automations", "list_automation_runs"), start=3
    )
}
